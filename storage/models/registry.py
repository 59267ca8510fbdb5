"""The registered models of a home, numbered in the order in which their runs reserved a number.

models/reserved/v0001.json      the run that the number belongs to
models/v0001/                   the model's files and model.json; renamed into place when complete
models/v0001/plan.json, dataset.json, split.json, evaluation.json
                                what is needed to repeat the training and to compare the model with another
models/.tmp/                    models being copied

`champions` has which of them is the champion. A file is loaded only if model.json has its hash.
"""

import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.audio.hashing import content_hash
from pipeline.errors import PermanentError, StoreError, UsageError
from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.study.results import EvaluationReport, ModelVersion
from pipeline.plans.run import RunPlan
from pipeline.text import printable
from pipeline.wire import Value
from storage import durable
from storage.documents import Documents, encode

_VERSION = re.compile(r"v(\d{4,})")


class Reservation(Value, frozen=True, kw_only=True):
    """The content of a document in `reserved/`."""

    run_id: str


class ModelRegistry:
    """The models of one home; safe from threads and processes, holds no open file."""

    def __init__(self, home: Path) -> None:
        self._root = home / "models"
        self._documents = Documents(self._root)

    def register(
        self, draft: ModelVersion, source: Path, *, documents: Mapping[str, Path | Value] | None = None
    ) -> ModelVersion:
        """Copy the files of a run's model into the registry and return it with its version and path.

        `draft` has no version yet; `documents` are written beside the model's files by name: a value as a document, a
        file, which must never change, as a hard link where that is possible. A run has one model: registering it
        again, at once or later, returns the first.
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
        return [self.get(name) for name in self.names()]

    def names(self) -> list[str]:
        """Return the versions of all models, oldest first, without reading what they are."""
        with durable.store_errors(self._root, "be listed"):
            names = durable.names_in(self._root)
        numbered = sorted((int(match[1]), match[0]) for match in map(_VERSION.fullmatch, names) if match)
        return [name for _, name in numbered]

    def get(self, version: str) -> ModelVersion:
        """Return a model, with its current path, as the home may have been moved.

        Raises `UsageError` when there is no such version, `StoreError` when what it is cannot be read.
        """
        self.require(version)
        model = self._documents.read(f"{version}/model", ModelVersion)
        return model.replace(path=str((self._root / version).absolute()))

    def require(self, version: str) -> None:
        """Raise `UsageError` when there is no such version, without reading what it is."""
        names = self.names()
        if version not in names:
            latest = ", ".join(names[-3:]) or "none yet"
            raise UsageError(f"model {printable(version)}: no such version; the latest are: {latest}")

    def path(self, version: str) -> Path:
        """Return the folder of a model. Raises `UsageError` when there is no such version."""
        self.require(version)
        return self._root / version

    def remove(self, version: str) -> None:
        """Remove all files of a model; its number stays reserved. Does nothing when it is gone already."""
        if not _VERSION.fullmatch(version):
            raise UsageError(f"model {printable(version)}: no such version")
        trash = durable.temporary_path(self._root / ".tmp")
        with durable.store_errors(self._root / version, "be removed"):
            durable.make_folder(trash.parent)
            with suppress(FileNotFoundError):
                # Renamed first: a reader finds a model whole or not at all.
                (self._root / version).rename(trash)
            shutil.rmtree(trash, ignore_errors=True)

    def check(self, model: ModelVersion) -> None:
        """Raise `UsageError` naming the first file of a model that is missing or has another hash than registered."""
        for name, registered in model.files.items():
            path = self._root / model.version / name
            try:
                current = content_hash(str(path))
            except PermanentError as error:
                raise UsageError(f"model {model.version}: {error}; restore it from a copy, or train again") from error
            if current != registered:
                raise UsageError(
                    f"model {model.version}: {printable(str(path))} is not what was registered "
                    f"(SHA-256 {current[:12]}, not {registered[:12]}); restore it from a copy, or train again"
                )

    def study(self, version: str) -> tuple[DatasetManifest, Split] | None:
        """Return the dataset and the split that a model learned from; None for one of a version without these files."""
        manifest = self._documents.find(f"{version}/dataset", DatasetManifest)
        if manifest is None:
            return None
        return manifest, self._documents.read(f"{version}/split", Split)

    def plan(self, version: str) -> RunPlan | None:
        """Return the plan of the run that made a model; None for one of a version without this file."""
        return self._documents.find(f"{version}/plan", RunPlan)

    def evaluation(self, version: str) -> EvaluationReport | None:
        """Return a model's evaluation when it was trained; None for one of a version without this file."""
        return self._documents.find(f"{version}/evaluation", EvaluationReport)

    def _reserve(self, run_id: str) -> str:
        """Return the version that is reserved for a run; reserve the next free number when it has none.

        A number is reserved only after all lower ones were found to belong to other runs, so no run can get two.
        """
        while True:
            names = self._documents.names("reserved")
            for name in names:
                if self._documents.read(name, Reservation).run_id == run_id:
                    return name.rpartition("/")[2]
            highest = max((int(name.rpartition("/v")[2]) for name in names), default=0)
            version = f"v{highest + 1:04d}"
            if self._documents.publish(f"reserved/{version}", Reservation(run_id=run_id)):
                return version

    def _copy(self, model: ModelVersion, source: Path, target: Path, documents: Mapping[str, Path | Value]) -> None:
        """Copy a folder and its model.json under a temporary name, flush all of it and rename it into place."""
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
                _write(document, folder / f"{name}.json")
            durable.write_whole(description, encode(model.replace(files=files)))
            for path in (*folder.rglob("*"), folder):
                durable.sync_path(path)
            try:
                folder.rename(target)
            except OSError:
                # A folder cannot replace one with files in it: another process registered the same run meanwhile.
                if not (target / "model.json").exists():
                    raise
            durable.sync_path(self._root)
        except shutil.Error as error:
            raise StoreError(f"{printable(str(source))}: cannot be copied ({error})") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _write(document: Path | Value, target: Path) -> None:
    if isinstance(document, Value):
        durable.write_whole(target, encode(document))
        return
    try:
        target.hardlink_to(document)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(document, target)
