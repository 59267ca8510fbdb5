"""Using a model: from files and libraries to labels, probabilities and timelines.

    from workers.predicting import predict

    for each in predict("chordal-home", ["song.mp3", "library"]):
        print(each.path, each.label, each.probability, each.unsure)

What the store lacks is extracted first, by the same tasks and workers as any run's, before those of other runs; what it
has is read. A file that has no features is an answer too: who, and why. Nothing is learned from these files, and they
say nothing about any library.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.chunks import Chunk, check_length, chunks_of
from pipeline.errors import UsageError
from pipeline.features.spec import FeatureRows
from pipeline.holding import Learned
from pipeline.labels import LabelSource, check_labelled, parse_labels
from pipeline.learning import ModelVersion
from pipeline.models.fits import check_fits, family_names
from pipeline.prediction import TrackPrediction, told
from pipeline.recipe import ModelChoice, Recipe
from pipeline.scan import scan
from pipeline.tracks import Failure, FileStamp, ScannedTrack, TrackRecord, printable, track_id
from workers import cutting, gating, producer, running, sealing, service
from workers.address import BrokerAddress
from workers.context import Doors
from workers.home import only_one, prepare_home
from workers.progress import View

if TYPE_CHECKING:
    from pipeline.models.classifier import Classifier, TrackSaid
    from storage import Snapshot

TRACKS_AT_ONCE = 512
ROWS_BYTES = 64 << 20
"""Bounds of what is in memory at once, whatever the size of the library."""
FIRST_AUDIO_S = 600.0
"""How much sound is read at once before it is known how many rows that has."""

REMEMBERED = 10
"""Runs of predictions whose records are kept; older ones are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants predictions of, and how."""

    paths: tuple[str, ...]
    """Files and folders, absolute."""
    model: str | None = None
    """A version; None for the champion."""
    top: int | None = None
    """How many classes to tell of; None for all."""
    chunk_s: float | None = None
    """Cut what is longer into chunks of this length first; None for no cutting."""
    labels: str | None = None
    """Where the true labels are, as for a run; None to ask for none."""
    max_duration_s: float = 4 * 3600.0
    broker: BrokerAddress | None = None
    workers: int | None = None
    command: tuple[str, ...] = ("chordal", "predict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Predictions that are made as they are asked for, in the order of the walk."""

    model: ModelVersion
    classes: tuple[str, ...]
    extracted: int
    """Files that had to be extracted for it."""
    each: Iterator[TrackPrediction] = field(repr=False)

    def __iter__(self) -> Iterator[TrackPrediction]:
        return self.each


def predict(
    home: str | os.PathLike[str],
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: str | None = None,
    top: int | None = None,
    chunk_s: float | None = None,
    labels: str | None = None,
    workers: int | None = None,
    broker: str | None = None,
) -> Predictions:
    """Return what a home's champion, or another `model` by version, says of files and folders.

    Iterate over it once: predictions are made on the way, in bounded memory. `top` tells only the most probable
    classes, `chunk_s` cuts long recordings into chunks first, `labels` (as for `chordal run`) compares with the truth.
    Missing features are extracted before it returns, by the home's service, the workers of `broker`, or `workers`
    processes of its own. Raises `UsageError` with the mend for a home, model or path that is not there, and for a
    model whose features are not the ones computed here.
    """
    asked = Asked(
        paths=tuple(os.path.abspath(os.fspath(path)) for path in paths),  # noqa: PTH100 - keeps odd bytes
        model=model,
        top=top,
        chunk_s=chunk_s,
        labels=labels,
        broker=BrokerAddress.parse(broker) if broker else None,
        workers=workers,
    )
    return carry_out(Doors(Path(home).expanduser().absolute()), asked, View(quiet=True))


def carry_out(doors: Doors, asked: Asked, view: View) -> Predictions:
    """Extract what is missing and return the predictions; raises as `predict` does."""
    version = pick_model(doors, asked.model)
    if asked.chunk_s is not None:
        check_length(asked.chunk_s)
    if asked.top is not None and asked.top < 1:
        raise UsageError(f"top {asked.top}: give a whole number from 1 up")
    files = _Files(asked)
    classifier = load(doors, version)
    extracted = _extract_missing(doors, asked, version, files, view)
    learned = _learned(doors, version)
    each = _predictions(doors, asked, files, classifier, learned)
    return Predictions(model=version, classes=classifier.classes, extracted=extracted, each=each)


def pick_model(doors: Doors, version: str | None) -> ModelVersion:
    """Return a registered model that can be used here: the one asked for, else the champion.

    Raises `UsageError` when there is none, naming both fingerprints when its features are not the ones computed here.
    """
    if version is None:
        champion = doors.champions.current()
        if champion is None:
            known = doors.registry.versions()
            shown = printable(str(doors.home))
            if not known:
                raise UsageError(f"home {shown}: no model yet; `chordal run LIBRARY` makes one, --home names another")
            raise UsageError(
                f"home {shown}: none of its {len(known)} models is the champion; "
                f"`chordal models promote {known[-1].version}` makes the newest it, --model names one for now"
            )
        version = champion.version
    model = doors.registry.get(version)
    check_fits(version, model.features)
    return model


def load(doors: Doors, version: ModelVersion) -> "Classifier":
    """Return a model ready for use. Raises `UsageError` when a file of it is gone or is not what was registered."""
    from pipeline.models import load_model

    doors.registry.check(version)
    return load_model(Path(version.path))


def _learned(doors: Doors, version: ModelVersion) -> Learned:
    try:
        known = gating.contender(doors, version.version)
    except UsageError:
        return Learned()
    return Learned.of(known.manifest, known.split)


class _Files:
    """The files asked for; walked twice, as they may be too many to hold."""

    def __init__(self, asked: Asked) -> None:
        if not asked.paths:
            raise UsageError("predict: no path given; name files or folders with sound")
        self._folders: list[str] = []
        single: list[str] = []
        for path in asked.paths:
            (self._folders if _is_folder(path) else single).append(path)
        self._single = {track_id(path): path for path in single}
        self.truth: LabelSource | None = None
        if self._folders:
            next(scan(self._folders))  # refused now: a folder without sound
        if asked.labels is not None:
            self.truth = parse_labels(asked.labels, libraries=self._folders)
            self._check_labels(self.truth)

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that hold the files: a worker's host has to see them."""
        parents = [os.path.dirname(path) for path in self._single.values()]  # noqa: PTH120 - keeps odd bytes
        return tuple(dict.fromkeys([*self._folders, *parents]))

    def each(self, view: View | None = None) -> Iterator[ScannedTrack]:
        """Yield every file once, those named one by one first."""

        def problem(path: str, reason: str) -> None:
            if view is not None:
                view.line(f"cannot look into {printable(path)}: {reason}")

        yield from map(self._track, self._single.values())
        if self._folders:
            for track in scan(self._folders, labels=self.truth, on_problem=problem):
                if track.track_id not in self._single:
                    yield track

    def _track(self, path: str) -> ScannedTrack:
        try:
            found = os.stat(path)  # noqa: PTH116 - keeps odd bytes
        except OSError:
            stamp = FileStamp(size_bytes=0, mtime_ns=0)  # gone meanwhile: its task will say so
        else:
            stamp = FileStamp(size_bytes=found.st_size, mtime_ns=found.st_mtime_ns)
        label = self.truth.label(path) if self.truth is not None else None
        return ScannedTrack(track_id=track_id(path), path=path, stamp=stamp, label=label)

    def _check_labels(self, truth: LabelSource) -> None:
        """Refuse a rule that finds no label at all."""
        count, example = 0, ""
        for track in self.each():
            if track.label is not None:
                return
            count, example = count + 1, example or track.path
        check_labelled(truth, scanned=count, labelled=0, example=example)


def _is_folder(path: str) -> bool:
    """Tell a folder from a file. Raises `UsageError` for what is neither."""
    shown = printable(path)
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - keeps odd bytes
    except OSError as error:
        reason = "no such file or folder" if isinstance(error, FileNotFoundError) else (error.strerror or "").lower()
        raise UsageError(f"path {shown}: {reason}; name a sound file, or a folder with some") from error
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return stat.S_ISDIR(mode)
    raise UsageError(f"path {shown}: neither a file nor a folder")


def _extract_missing(doors: Doors, asked: Asked, version: ModelVersion, files: _Files, view: View) -> int:
    """Extract what the store lacks of some files, as one run; return how many files. Nothing is begun without need."""
    missing = _missing(doors, asked, version, files, view)
    first = next(missing, None)
    if first is None:
        return 0
    broker = asked.broker
    served = service.find(doors.home) if broker is None else None
    if served is not None:
        broker = served.broker
    prepare_home(str(doors.home))
    with only_one(doors.home, shared=broker is not None, doing="predicting"):
        _forget_old(doors)
        wanted = running.Wanted(
            command=asked.command,
            libraries=files.folders,
            recipe=_recipe(version),
            learn=False,
            workers=asked.workers if served is None else None,
            broker=broker,
            max_duration_s=asked.max_duration_s,
            priority="high",
            purpose="predict",
            chunk_s=asked.chunk_s,
        )
        plan = running.plan_run(wanted, doors.ledger)
        found = producer.write_shards(doors, plan, tracks=chain([first], missing))
        finished = running.Finished(plan=plan, found=found)
        running.follow(doors.home, finished, view, broker=broker, workers=wanted.workers)
    return found.files


def _recipe(version: ModelVersion) -> Recipe:
    """Return a recipe that extracts what a model reads."""
    names = family_names(version.features)
    return Recipe(
        name="predict",
        title=f"What model {version.version} reads",
        models=tuple(ModelChoice(family=member.family, features=member.features) for member in version.members),
        features=names,
    )


def _missing(doors: Doors, asked: Asked, version: ModelVersion, files: _Files, view: View) -> Iterator[ScannedTrack]:
    """Yield the files of which something is not stored yet; without labels, as nobody learns from them."""
    snapshot = doors.store.snapshot()
    keys = frozenset(version.features)
    for track in files.each(view):
        if not sealing.is_settled(track, snapshot, keys, None, asked.chunk_s):
            yield track.replace(label=None)


def _forget_old(doors: Doors) -> None:
    """Forget all but the newest runs of predictions: nobody takes them up again, and there may be thousands."""
    for run_id in doors.ledger.run_ids("predict")[:-REMEMBERED]:
        doors.ledger.forget(run_id)


def _predictions(
    doors: Doors, asked: Asked, files: _Files, classifier: "Classifier", learned: Learned
) -> Iterator[TrackPrediction]:
    reader = _Reader(asked, classifier, learned, doors.store.snapshot())
    for batch in _batches(files.each(), TRACKS_AT_ONCE):
        yield from reader.predictions(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A track whose features are stored, and the contents they are stored under: its own, or those of its chunks."""

    track: ScannedTrack
    record: TrackRecord
    chunks: tuple[Chunk, ...]
    contents: tuple[str, ...]


class _Reader:
    """Reads and predicts tracks, as many at once as their rows fit a bound of memory."""

    def __init__(self, asked: Asked, classifier: "Classifier", learned: Learned, snapshot: "Snapshot") -> None:
        self._asked = asked
        self._classifier = classifier
        self._learned = learned
        self._snapshot = snapshot
        self._keys = frozenset(classifier.features)
        self._audio_s = FIRST_AUDIO_S

    def predictions(self, tracks: Sequence[ScannedTrack]) -> Iterator[TrackPrediction]:
        """Yield what is said of each of some tracks, in their order."""
        looked = [(track, self._look(track)) for track in tracks]
        said = self._said([found for _, found in looked if isinstance(found, _Ready)])
        for track, found in looked:
            if isinstance(found, Failure):
                yield TrackPrediction(path=track.path, truth=track.label, failure=found)
            else:
                yield next(said)

    def _look(self, track: ScannedTrack) -> "_Ready | Failure":
        """Return where a track's features are, or why there are none."""
        record = self._snapshot.record(track.track_id)
        if record is None or record.mark is not None:
            return Failure(kind="missing", reason="came while the others were extracted; ask again")
        chunks = chunks_of(record.duration_s, self._asked.chunk_s) if cutting.has_sound(record) else ()
        there = [chunk for chunk in chunks if self._has_all(chunk.content_key(record.content_hash))]
        if there:
            contents = tuple(chunk.content_key(record.content_hash) for chunk in there)
            return _Ready(track=track, record=record, chunks=tuple(there), contents=contents)
        if record.failure is not None:
            return record.failure
        for key in self._keys:
            if (failure := record.family_failures.get(key)) is not None:
                return failure
        if not self._has_all(record.content_hash):
            return Failure(kind="missing", reason="its features are not stored any more; ask again")
        return _Ready(track=track, record=record, chunks=(), contents=(record.content_hash,))

    def _has_all(self, content: str) -> bool:
        return self._keys <= self._snapshot.families_of(content)

    def _said(self, ready: Sequence[_Ready]) -> Iterator[TrackPrediction]:
        left = list(ready)
        while left:
            count = max(int(np.searchsorted(np.cumsum([each.record.duration_s for each in left]), self._audio_s)), 1)
            part, left = left[:count], left[count:]
            contents = [content for each in part for content in each.contents]
            rows = {key: self._snapshot.rows(key, contents) for key in self._classifier.features}
            read = sum(each.values.nbytes for found in rows.values() for each in found)
            # How many rows a second has is the family's own business; it is seen here.
            heard_s = sum(each.record.duration_s for each in part)
            self._audio_s = min(ROWS_BYTES * heard_s / max(read, 1), 1e9) if heard_s else self._audio_s
            yield from self._judged(part, rows)

    def _judged(self, part: Sequence[_Ready], rows: dict[str, list[FeatureRows]]) -> Iterator[TrackPrediction]:
        probabilities, usable, over_time = self._classifier.predict(rows)
        first = 0
        for each in part:
            mine = slice(first, first + len(each.contents))
            first = mine.stop
            if each.chunks:
                whole, said, heard = _joined(each.chunks, probabilities[mine], usable[mine], self._classifier)
            else:
                whole, said, heard = probabilities[mine][0], over_time[mine][0], bool(usable[mine][0])
            yield told(self._classifier, each.track.path, whole, said, usable=heard, top=self._asked.top).replace(
                duration_s=each.record.duration_s,
                truth=each.track.label,
                learned=each.record.content_hash in self._learned.contents,
            )


def _joined(
    chunks: Sequence[Chunk], probabilities: np.ndarray, usable: np.ndarray, classifier: "Classifier"
) -> "tuple[np.ndarray, TrackSaid, bool]":
    """Return what is said of a recording by what is said of its chunks, those without a usable row passed over."""
    from pipeline.models.classifier import TrackSaid

    heard = bool(usable.any())
    starts = np.array([chunk.start_s for chunk in chunks])
    whole = probabilities[usable].mean(axis=0) if heard else np.array(classifier.card.prior)
    return whole, TrackSaid(start_s=starts[usable], probabilities=probabilities[usable]), heard


def _batches(tracks: Iterable[ScannedTrack], size: int) -> Iterator[list[ScannedTrack]]:
    walking = iter(tracks)
    while batch := list(islice(walking, size)):
        yield batch
