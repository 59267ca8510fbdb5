"""The trained models of a home, numbered in the order in which their runs asked for a number.

models/reserved/v0001.json      which run the number belongs to
models/v0001/                   the model's files and model.json; appears in one step, complete
models/.tmp/                    models being copied
"""

import re
import shutil
from pathlib import Path

from pipeline.errors import StoreError, UsageError
from pipeline.learning import ModelVersion
from pipeline.tracks import printable
from pipeline.wire import Value
from storage import durable
from storage.documents import Documents, encode

_VERSION = re.compile(r"v(\d{4,})")


class _Reservation(Value, frozen=True, kw_only=True):
    run_id: str


class ModelRegistry:
    """The models of one home; safe from threads and processes, holds nothing open."""

    def __init__(self, home: Path) -> None:
        self._root = home / "models"
        self._documents = Documents(self._root)

    def register(self, draft: ModelVersion, source: Path) -> ModelVersion:
        """Copy the files of a run's model into the registry and return it with its version and path.

        `draft` has no version yet. A run has one model: registering it again, at once or later, returns the first.
        Raises `UsageError` when `source` is no folder, `StoreError` when it cannot be copied; nothing is then
        registered and it may be tried again.
        """
        if not source.is_dir():
            raise UsageError(f"{printable(str(source))}: is no folder with the files of a model")
        version = self._reserve(draft.run_id)
        target = self._root / version
        if not target.exists():
            with durable.store_errors(target, "be written"):
                self._copy(draft.replace(version=version, path=""), source, target)
        return self.get(version)

    def versions(self) -> list[ModelVersion]:
        """Return all models, oldest first."""
        with durable.store_errors(self._root, "be listed"):
            names = durable.names_in(self._root)
        numbered = sorted((int(match[1]), match[0]) for match in map(_VERSION.fullmatch, names) if match)
        return [self.get(name) for _, name in numbered]

    def get(self, version: str) -> ModelVersion:
        """Return a model; its path is where it lies now, should the home have moved.

        Raises `UsageError` when there is no such version.
        """
        found = None
        if _VERSION.fullmatch(version):
            found = self._documents.find(f"{version}/model", ModelVersion)
        if found is None:
            known = ", ".join(model.version for model in self.versions()[-3:]) or "none yet"
            raise UsageError(f"model {printable(version)}: no such version; the latest are: {known}")
        return found.replace(path=str((self._root / version).absolute()))

    def latest(self) -> ModelVersion | None:
        """Return the newest model, or None when there is none."""
        models = self.versions()
        return models[-1] if models else None

    def _reserve(self, run_id: str) -> str:
        """Return the version that belongs to a run, the next free number when it has none.

        A number is taken only after all below it were seen to belong to others, so a run can never get two.
        """
        while True:
            taken = self._documents.names("reserved")
            for name in taken:
                if self._documents.read(name, _Reservation).run_id == run_id:
                    return name.rpartition("/")[2]
            highest = max((int(name.rpartition("/v")[2]) for name in taken), default=0)
            version = f"v{highest + 1:04d}"
            if self._documents.publish(f"reserved/{version}", _Reservation(run_id=run_id)):
                return version

    def _copy(self, model: ModelVersion, source: Path, target: Path) -> None:
        """Copy a folder and its description under a temporary name, flush all of it and give it its name."""
        folder = durable.temporary(self._root / ".tmp")
        durable.make_folder(folder.parent)
        try:
            shutil.copytree(source, folder)
            description = folder / "model.json"
            description.unlink(missing_ok=True)
            durable.write_whole(description, encode(model))
            for path in (*folder.rglob("*"), folder):
                durable.sync_path(path)
            try:
                folder.rename(target)
            except OSError:
                # A folder cannot take the name of one with files in it: the same run was registered at once.
                if not (target / "model.json").exists():
                    raise
            durable.sync_path(self._root)
        except shutil.Error as error:
            raise StoreError(f"{printable(str(source))}: cannot be copied ({error})") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
