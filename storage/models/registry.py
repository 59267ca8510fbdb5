"""The trained models of a home, numbered in the order in which their runs asked for a number.

models/reserved/v0001.json      which run the number belongs to
models/v0001/                   the model's files and model.json; appears in one step, complete
models/v0001/plan.json, dataset.json, split.json, evaluation.json
                                what it takes to repeat it and to hold another one against it
models/.tmp/                    models being copied

`champions` tells which of them is the champion. No file is ever loaded that its description does not vouch for.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from pipeline.audio.hashing import content_hash
from pipeline.errors import PermanentError, StoreError, UsageError
from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.study.results import EvaluationReport, ModelVersion
from pipeline.text import printable
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

    def register(
        self, draft: ModelVersion, source: Path, *, documents: Mapping[str, Path | Value] | None = None
    ) -> ModelVersion:
        """Copy the files of a run's model into the registry and return it with its version and path.

        `draft` has no version yet; `documents` are put beside the model's files by name: a value is written, a file,
        which nobody may change any more, is linked where it can be. A run has one model: registering it again, at once
        or later, returns the first.
        Raises `UsageError` when `source` is no folder, `StoreError` when it cannot be copied; nothing is then
        registered and it may be tried again.
        """
        if not source.is_dir():
            raise UsageError(f"{printable(str(source))}: is no folder with the files of a model")
        version = self._reserve(draft.run_id)
        target = self._root / version
        if not target.exists():
            with durable.store_errors(target, "be written"):
                self._copy(draft.replace(version=version, path=""), source, target, documents or {})
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

    def check(self, model: ModelVersion) -> None:
        """Raise `UsageError` naming the file of a model that is gone or is not what was registered."""
        for name, told in model.files.items():
            path = self._root / model.version / name
            try:
                found = content_hash(str(path))
            except PermanentError as error:
                raise UsageError(f"model {model.version}: {error}; restore it from a copy, or train again") from error
            if found != told:
                raise UsageError(
                    f"model {model.version}: {printable(str(path))} is not what was registered (SHA-256 {found[:12]}, "
                    f"not {told[:12]}); restore it from a copy, or train again"
                )

    def study(self, version: str) -> tuple[DatasetManifest, Split] | None:
        """Return what a model learned from and how that was parted; None for one of before that was kept."""
        manifest = self._documents.find(f"{version}/dataset", DatasetManifest)
        if manifest is None:
            return None
        return manifest, self._documents.read(f"{version}/split", Split)

    def evaluation(self, version: str) -> EvaluationReport | None:
        """Return how a model did when it was made; None for one of before that was kept."""
        return self._documents.find(f"{version}/evaluation", EvaluationReport)

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

    def _copy(self, model: ModelVersion, source: Path, target: Path, documents: Mapping[str, Path | Value]) -> None:
        """Copy a folder and its description under a temporary name, flush all of it and give it its name."""
        folder = durable.temporary_path(self._root / ".tmp")
        durable.make_folder(folder.parent)
        try:
            shutil.copytree(source, folder)
            description = folder / "model.json"
            description.unlink(missing_ok=True)
            files = {
                path.relative_to(folder).as_posix(): content_hash(str(path))
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
            for name, document in documents.items():
                _put(document, folder / f"{name}.json")
            durable.write_whole(description, encode(model.replace(files=files)))
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


def _put(document: Path | Value, target: Path) -> None:
    if isinstance(document, Value):
        durable.write_whole(target, encode(document))
        return
    try:
        target.hardlink_to(document)
    except OSError:  # another file system, or one without links
        shutil.copyfile(document, target)
