"""The files of libraries by name: whether a row that names one could as well be that of another."""

# Paths are text here, a million at a time.
# ruff: noqa: PTH118
import os
from collections.abc import Sequence

from pipeline.library.system_names import system_folder
from pipeline.library.tables.spellings import folded


class FileCensus:
    """The files below some folders by name; they are looked for when somebody asks, as most tables have whole paths."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders
        self._by_name: dict[str, tuple[str, ...]] | None = None

    def of_name(self, name: str) -> tuple[str, ...]:
        """Return the paths of all files with a name, whatever its case."""
        if self._by_name is None:
            self._by_name = self._walk()
        return self._by_name.get(folded(name), ())

    def _walk(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for root in dict.fromkeys(self._folders):
            for folder, folders, files in os.walk(root):
                folders[:] = [name for name in folders if not (name.startswith(".") or system_folder(name))]
                for name in files:
                    key, path = folded(name), os.path.join(folder, name)
                    known = found.get(key, ())
                    if path not in known:  # a library inside another
                        found[key] = (*known, path)
        return found
