"""What predictions are requested of: files and folders, walked as often as needed."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import UsageError
from pipeline.library.labels import LabelSource, TrackSources, check_labelled, parse_labels
from pipeline.library.library_file import LibraryFile
from pipeline.library.scan import scan
from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.library.vocabulary.index import VocabularyIndex
from pipeline.plans.scan_rules import DEFAULT, ScanRules
from pipeline.text import printable
from workers.broker.address import BrokerAddress
from workers.runs.progress import View


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRequest:
    """What predictions are requested of, and how."""

    paths: tuple[str, ...]
    """Files and folders, absolute."""
    model: str | None = None
    """A version; None for the champion."""
    top: int | None = None
    """How many classes each prediction has; None for all."""
    chunk_s: float | None = None
    """Cut what is longer into chunks of this length first; None for no cutting."""
    labels: str | None = None
    """Where the true labels are, as for a run; None for no labels."""
    max_duration_s: float = 4 * 3600.0
    broker: BrokerAddress | None = None
    workers: int | None = None
    command: tuple[str, ...] = ("chordal", "predict")
    rules: ScanRules = DEFAULT
    """How folders are scanned, and what true labels are folded to."""


class RequestedFiles:
    """The files of a request; walked twice, as they may be too many to hold."""

    def __init__(self, request: PredictionRequest) -> None:
        if not request.paths:
            raise UsageError("predict: no path given; name files or folders with sound")
        self._folders: list[str] = []
        single: list[str] = []
        for path in request.paths:
            (self._folders if _is_folder(path) else single).append(path)
        self._single = {track_id(path): path for path in single}
        self.truth: LabelSource | None = None
        """Where the true labels are."""
        folding = request.rules.folding
        self._vocabulary = VocabularyIndex(folding) if folding is not None else None
        if self._folders:
            next(scan(self._folders))  # raises for folders without sound
        if request.labels is not None:
            self.truth = parse_labels(request.labels, libraries=self._folders)
            self._check_labels(self.truth)

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that hold the files: a worker's host has to see them."""
        parents = [os.path.dirname(path) for path in self._single.values()]  # noqa: PTH120 - keeps odd bytes
        return tuple(dict.fromkeys([*self._folders, *parents]))

    @property
    def _sources(self) -> TrackSources:
        return TrackSources(labels=self.truth, vocabulary=self._vocabulary)

    def each(self, view: View | None = None) -> Iterator[ScannedTrack]:
        """Yield every file once, those named one by one first."""

        def problem(path: str, reason: str) -> None:
            if view is not None:
                view.line(f"cannot look into {printable(path)}: {reason}")

        yield from map(self._track, self._single.values())
        if self._folders:
            for track in scan(self._folders, sources=self._sources, on_problem=problem):
                if track.track_id not in self._single:
                    yield track

    def _track(self, path: str) -> ScannedTrack:
        try:
            facts = os.stat(path)  # noqa: PTH116 - keeps odd bytes
        except OSError:
            stamp = FileStamp(size_bytes=0, mtime_ns=0)  # gone meanwhile: its task records that
        else:
            stamp = FileStamp(size_bytes=facts.st_size, mtime_ns=facts.st_mtime_ns)
        labels, labels_found = self._sources.labels_of(LibraryFile(path), multi=False)
        label = next(iter(labels), None)
        return ScannedTrack(track_id=track_id(path), path=path, stamp=stamp, label=label, labels_found=labels_found)

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
    where = f"path {printable(path)}"
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - keeps odd bytes
    except OSError as error:
        reason = "no such file or folder" if isinstance(error, FileNotFoundError) else (error.strerror or "").lower()
        raise UsageError(f"{where}: {reason}; name a sound file, or a folder with some") from error
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return stat.S_ISDIR(mode)
    raise UsageError(f"{where}: neither a file nor a folder")
