"""What predictions are requested of: files and folders, walked as often as needed."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipeline.errors import UsageError
from pipeline.library.folders.left_out import LeftOut, LeftOutTally
from pipeline.library.labels import (
    LabelSource,
    TrackSources,
    check_labelled,
    parse_labels,
    table_of,
)
from pipeline.library.scan import scan, tracks_of
from pipeline.library.tables.join import JoinTally, describe_join
from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.library.vocabulary.index import VocabularyIndex
from pipeline.plans.scan_rules import DEFAULT, ScanRules
from pipeline.text import printable
from storage import RunLedger
from workers.broker.address import BrokerAddress


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


def fold_as_learned(request: PredictionRequest, ledger: RunLedger, run_id: str) -> PredictionRequest:
    """Return a request whose true labels are folded as those that a model's run learned from, if it names no way."""
    rules = request.rules
    if request.labels is None or rules.vocabulary is not None or rules.folding is not None:
        return request
    try:
        learned = ledger.plan(run_id).rules
    except UsageError:  # the run was deleted
        return request
    return replace(request, rules=rules.replace(vocabulary=learned.vocabulary, folding=learned.folding))


class RequestedFiles:
    """The files of a request; walked twice, as they may be too many to hold."""

    def __init__(self, request: PredictionRequest) -> None:
        if not request.paths:
            raise UsageError("predict: no path given; name files or folders with sound")
        self._rules = request.rules
        self._left_out = LeftOutTally()
        self._problems: dict[str, str] = {}
        self._folders: list[str] = []
        single: list[str] = []
        for path in request.paths:
            (self._folders if _is_folder(path) else single).append(path)
        self._single = {track_id(path): path for path in single}
        self.truth: LabelSource | None = None
        """Where the true labels are."""
        self.notes: tuple[str, ...] = ()
        """What the table of the true labels and the files do not have in common, a line each."""
        folding = request.rules.folding
        self._vocabulary = VocabularyIndex(folding) if folding is not None else None
        self._check_albums()
        if self._folders:
            next(scan(self._folders, rules=self._rules))  # raises for folders without sound
        if request.labels is not None:
            self.truth = parse_labels(request.labels, libraries=self._folders)
            self._check_labels(self.truth)

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that hold the files: a worker's host has to see them."""
        files = [_album_of(path) or path for path in self._single.values()]
        parents = [os.path.dirname(path) for path in files]  # noqa: PTH120 - keeps odd bytes
        return tuple(dict.fromkeys([*self._folders, *parents]))

    @property
    def unreadable(self) -> tuple[str, ...]:
        """What the last walk that came to its end could not read, with the reason."""
        return tuple(f"{printable(path)}: {reason}" for path, reason in self._problems.items())

    @property
    def left_out(self) -> LeftOut:
        """What the last walk that came to its end left out."""
        return self._left_out.total(self._rules.exclude if self._folders else ())

    @property
    def _sources(self) -> TrackSources:
        return TrackSources(labels=self.truth, vocabulary=self._vocabulary)

    def each(self) -> Iterator[ScannedTrack]:
        """Yield every file once, those named one by one first."""
        left_out = LeftOutTally()
        problems: dict[str, str] = {}
        for path in self._single.values():
            yield from self._tracks(path)
        if self._folders:
            for track in scan(
                self._folders,
                sources=self._sources,
                rules=self._rules,
                on_problem=problems.__setitem__,
                left_out=left_out,
            ):
                if track.track_id not in self._single and track_id(track.file_path) not in self._single:
                    yield track
        self._left_out, self._problems = left_out, problems

    def _tracks(self, path: str) -> Iterator[ScannedTrack]:
        """Yield a file as a scan finds it: the tracks that its cue sheet cuts it into; of a track in one, that one."""
        file_path = _album_of(path) or path
        for track in tracks_of([(file_path, self._stamp(file_path))], self._sources, self._rules):
            if path in {file_path, track.path}:
                yield track

    def _check_albums(self) -> None:
        """Raise `UsageError` for a track that its album's file does not have."""
        for path in self._single.values():
            album = _album_of(path)
            if album is not None and next(self._tracks(path), None) is None:
                tracks = [track.path.rpartition("/")[2] for track in self._tracks(album) if track.part is not None]
                has = f"its cue sheet has {tracks[0]} to {tracks[-1]}" if tracks else "no cue sheet cuts that file"
                raise UsageError(f"path {printable(path)}: no such track; {has}")

    @staticmethod
    def _stamp(path: str) -> FileStamp:
        try:
            facts = os.stat(path)  # noqa: PTH116 - keeps odd bytes
        except OSError:
            return FileStamp(size_bytes=0, mtime_ns=0)  # gone meanwhile: its task records that
        return FileStamp.of(facts)

    def _check_labels(self, truth: LabelSource) -> None:
        """Refuse a rule that finds no label at all; count what a table and the files have in common."""
        table = table_of(truth)
        join = JoinTally(table) if table is not None else None
        count, labelled, example = 0, 0, ""
        for track in self.each():
            labelled += track.label is not None
            if join is not None:
                join.add(track.path)
            elif labelled:
                return
            count, example = count + 1, example or track.path
        check_labelled(truth, scanned=count, labelled=labelled, example=example)
        self.notes = describe_join(join.join()) if join is not None else ()


def _is_folder(path: str) -> bool:
    """Tell a folder from a file. Raises `UsageError` for what is neither."""
    where = f"path {printable(path)}"
    if _album_of(path) is not None:
        return False
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - keeps odd bytes
    except OSError as error:
        reason = "no such file or folder" if isinstance(error, FileNotFoundError) else (error.strerror or "").lower()
        raise UsageError(f"{where}: {reason}; name a sound file, or a folder with some") from error
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return stat.S_ISDIR(mode)
    raise UsageError(f"{where}: neither a file nor a folder")


def _album_of(path: str) -> str | None:
    """Return the album's file of a path like `album.flac/03`; None for any other path."""
    file_path, _, number = path.rpartition("/")
    is_track = number.isascii() and number.isdigit() and os.path.isfile(file_path)  # noqa: PTH113 - keeps odd bytes
    return file_path if is_track else None
