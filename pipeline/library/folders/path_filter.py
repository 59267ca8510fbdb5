"""Whether a single file or folder would be left out by a walk: for changes that are noticed one by one."""

from collections.abc import Sequence

from pipeline.errors import UsageError
from pipeline.library.folders.exclusions import Patterns, matching, parse_patterns, read_patterns
from pipeline.library.system_names import is_system_file, system_folder
from pipeline.plans.scan_rules import ScanRules


class PathFilter:
    """Tells of the paths in some libraries what a walk would leave out; reads each `.chordalignore` once."""

    def __init__(self, libraries: Sequence[str], rules: ScanRules) -> None:
        """Make it for some libraries. Raises `UsageError` for a pattern that is none."""
        self._rules = rules
        self._given = {library: parse_patterns(rules.exclude, library) for library in libraries}
        self._read: dict[str, Patterns | None] = {}

    def forget(self) -> None:
        """Read every `.chordalignore` again when it is needed."""
        self._read.clear()

    def leaves_out(self, path: str, library: str, *, is_folder: bool = False) -> bool:
        """Tell whether a path in a library is left out, itself or with a folder above it."""
        names = path.removeprefix(library).strip("/").split("/")
        patterns: Patterns | None = self._given.get(library, ())
        place = library
        for depth, name in enumerate(names, 1):
            patterns = self._below(place, patterns)
            if patterns is None:
                return True  # a walk does not look into a folder whose patterns nobody can read
            place = f"{place.rstrip('/')}/{name}"
            folder = is_folder or depth < len(names)
            if self._is_peculiar(name, is_folder=folder) or matching(patterns, place, is_folder=folder):
                return True
        return False

    def patterns_above(self, folder: str, library: str) -> Patterns:
        """Return the patterns that hold in a folder of a library but for its own, those of `--exclude` included."""
        patterns: Patterns | None = self._given.get(library, ())
        place = library
        for name in folder.removeprefix(library).strip("/").split("/"):
            patterns = self._below(place, patterns)
            place = f"{place.rstrip('/')}/{name}"
        return patterns or ()

    def _below(self, folder: str, patterns: Patterns | None) -> Patterns | None:
        """Return patterns with those of a folder's own; None when these cannot be read."""
        if folder not in self._read:
            try:
                self._read[folder] = read_patterns(folder)
            except (FileNotFoundError, NotADirectoryError):
                self._read[folder] = ()
            except (OSError, UsageError):
                self._read[folder] = None
        own = self._read[folder]
        return None if own is None or patterns is None else patterns + own

    def _is_peculiar(self, name: str, *, is_folder: bool) -> bool:
        known = system_folder(name) is not None if is_folder else is_system_file(name)
        return known or (name.startswith(".") and not self._rules.include_hidden)
