"""Reading stored features and saying what a model makes of them, as many tracks at once as memory allows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.batches import batches
from pipeline.extraction.chunks import Chunk, chunks_of
from pipeline.features.spec import FeatureRows
from pipeline.learning.training.held_out import TrainingExposure
from pipeline.learning.training.prediction import TrackPrediction, track_prediction
from pipeline.library.tracks import Failure, ScannedTrack, TrackRecord
from workers.extraction import derived
from workers.predict.request import PredictionRequest

if TYPE_CHECKING:
    from pipeline.learning.models.classifier import Classifier, ProbabilityTimeline
    from storage import Snapshot

TRACKS_AT_ONCE = 512
ROWS_BYTES = 64 << 20
"""Bounds of what is in memory at once, whatever the size of the library."""
FIRST_AUDIO_S = 600.0
"""How much sound is read at once before it is known how many rows that has."""


def predictions(
    tracks: Iterable[ScannedTrack],
    asked: PredictionRequest,
    classifier: "Classifier",
    learned: TrainingExposure,
    snapshot: "Snapshot",
) -> Iterator[TrackPrediction]:
    """Yield what a model says of each of some tracks, in their order, by what a snapshot of the store has of them."""
    reader = PredictionReader(asked, classifier, learned, snapshot)
    for batch in batches(tracks, TRACKS_AT_ONCE):
        yield from reader.predictions(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A track whose features are stored, and the contents they are stored under: its own, or those of its chunks."""

    track: ScannedTrack
    record: TrackRecord
    chunks: tuple[Chunk, ...]
    contents: tuple[str, ...]


class PredictionReader:
    """Reads and predicts tracks, as many at once as their rows fit a bound of memory."""

    def __init__(
        self, asked: PredictionRequest, classifier: "Classifier", learned: TrainingExposure, snapshot: "Snapshot"
    ) -> None:
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
        chunks = chunks_of(record.duration_s, self._asked.chunk_s) if derived.has_sound(record) else ()
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
            yield track_prediction(
                self._classifier, each.track.path, whole, said, usable=heard, top=self._asked.top
            ).replace(
                duration_s=each.record.duration_s,
                truth=each.track.label,
                learned=each.record.content_hash in self._learned.contents,
            )


def _joined(
    chunks: Sequence[Chunk], probabilities: np.ndarray, usable: np.ndarray, classifier: "Classifier"
) -> "tuple[np.ndarray, ProbabilityTimeline, bool]":
    """Return what is said of a recording by what is said of its chunks, those without a usable row passed over."""
    from pipeline.learning.models.classifier import ProbabilityTimeline

    heard = bool(usable.any())
    starts = np.array([chunk.start_s for chunk in chunks])
    whole = probabilities[usable].mean(axis=0) if heard else np.array(classifier.card.prior)
    return whole, ProbabilityTimeline(start_s=starts[usable], probabilities=probabilities[usable]), heard
