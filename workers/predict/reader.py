"""Predictions from stored features, as many tracks at once as memory allows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.batches import batches
from pipeline.extraction.derived import derived_chunks
from pipeline.features.spec import FeatureRows
from pipeline.learning.models.classifier import Classifier, ProbabilityTimeline
from pipeline.learning.training.held_out import TrainingExposure
from pipeline.learning.training.prediction import TrackPrediction, track_prediction
from pipeline.library.tracks import Failure, ScannedTrack, TrackRecord
from pipeline.plans.chunks import Chunk
from storage import Snapshot
from workers.predict.request import PredictionRequest

TRACKS_AT_ONCE = 512
ROWS_BYTES = 64 << 20
"""Bounds of what is in memory at once, whatever the size of the library."""
FIRST_AUDIO_S = 600.0
"""How much sound is read at once before it is known how many rows that has, seconds."""


def read_predictions(
    tracks: Iterable[ScannedTrack],
    request: PredictionRequest,
    classifier: Classifier,
    exposure: TrainingExposure,
    snapshot: Snapshot,
) -> Iterator[TrackPrediction]:
    """Yield a model's prediction for each of some tracks, in their order, from what a snapshot has of them."""
    reader = PredictionReader(request, classifier, exposure, snapshot)
    for batch in batches(tracks, TRACKS_AT_ONCE):
        yield from reader.predictions(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredTrack:
    """A track whose features are stored, and the contents they are stored under: its own, or those of its chunks."""

    track: ScannedTrack
    record: TrackRecord
    chunks: tuple[Chunk, ...]
    contents: tuple[str, ...]


class PredictionReader:
    """Reads and predicts tracks, as many at once as their rows fit a bound of memory."""

    def __init__(
        self, request: PredictionRequest, classifier: Classifier, exposure: TrainingExposure, snapshot: Snapshot
    ) -> None:
        self._request = request
        self._classifier = classifier
        self._exposure = exposure
        self._snapshot = snapshot
        self._keys = frozenset(classifier.features)
        self._audio_s = FIRST_AUDIO_S

    def predictions(self, tracks: Sequence[ScannedTrack]) -> Iterator[TrackPrediction]:
        """Yield the prediction for each of some tracks, in their order."""
        located = [(track, self._locate(track)) for track in tracks]
        answers = self._predict([place for _, place in located if isinstance(place, _StoredTrack)])
        for track, place in located:
            if isinstance(place, Failure):
                yield TrackPrediction(path=track.path, truth=track.label, failure=place)
            else:
                yield next(answers)

    def _locate(self, track: ScannedTrack) -> _StoredTrack | Failure:
        """Return where a track's features are, or why there are none."""
        record = self._snapshot.record(track.track_id)
        if record is None or record.mark is not None:
            return Failure(kind="missing", reason="came while the others were extracted; ask again")
        chunks = [chunk for chunk in derived_chunks(record, self._request.chunk_s) if self._has_all(chunk.content_hash)]
        if chunks:
            contents = tuple(chunk.content_hash for chunk in chunks)
            return _StoredTrack(
                track=track, record=record, chunks=tuple(chunk.part for chunk in chunks), contents=contents
            )
        if record.failure is not None:
            return record.failure
        for key in self._keys:
            if (failure := record.family_failures.get(key)) is not None:
                return failure
        if not self._has_all(record.content_hash):
            return Failure(kind="missing", reason="its features are not stored any more; ask again")
        return _StoredTrack(track=track, record=record, chunks=(), contents=(record.content_hash,))

    def _has_all(self, content: str) -> bool:
        return self._keys <= self._snapshot.families_of(content)

    def _predict(self, tracks: Sequence[_StoredTrack]) -> Iterator[TrackPrediction]:
        """Yield the predictions for tracks of any number, read in parts whose rows fit the bound."""
        left = list(tracks)
        while left:
            count = max(int(np.searchsorted(np.cumsum([each.record.duration_s for each in left]), self._audio_s)), 1)
            part, left = left[:count], left[count:]
            contents = [content for each in part for content in each.contents]
            rows = {key: self._snapshot.rows(key, contents) for key in self._classifier.features}
            # How many rows a second of sound has depends on the families, and is measured here.
            rows_bytes = sum(each.values.nbytes for of_family in rows.values() for each in of_family)
            audio_s = sum(each.record.duration_s for each in part)
            self._audio_s = min(ROWS_BYTES * audio_s / max(rows_bytes, 1), 1e9) if audio_s else self._audio_s
            yield from self._predict_part(part, rows)

    def _predict_part(
        self, part: Sequence[_StoredTrack], rows: dict[str, list[FeatureRows]]
    ) -> Iterator[TrackPrediction]:
        probabilities, usable, over_time = self._classifier.predict(rows)
        first = 0
        for each in part:
            own = slice(first, first + len(each.contents))
            first = own.stop
            if each.chunks:
                whole, timeline, is_usable = _joined(each.chunks, probabilities[own], usable[own], self._classifier)
            else:
                whole, timeline, is_usable = probabilities[own][0], over_time[own][0], bool(usable[own][0])
            yield track_prediction(
                self._classifier, each.track.path, whole, timeline, usable=is_usable, top=self._request.top
            ).replace(
                duration_s=each.record.duration_s,
                truth=each.track.label,
                learned=each.record.content_hash in self._exposure.contents,
                note=each.record.note if each.record.has_remark else "",
            )


def _joined(
    chunks: Sequence[Chunk], probabilities: np.ndarray, usable: np.ndarray, classifier: Classifier
) -> tuple[np.ndarray, ProbabilityTimeline, bool]:
    """Return the probabilities of a recording, its timeline, and whether any row was usable.

    From those of its chunks, `probabilities` (chunks, classes) and `usable` (chunks,); chunks without a usable row are
    left out.
    """
    is_usable = bool(usable.any())
    starts = np.array([chunk.start_s for chunk in chunks])
    whole = probabilities[usable].mean(axis=0) if is_usable else np.array(classifier.card.prior)
    return whole, ProbabilityTimeline(start_s=starts[usable], probabilities=probabilities[usable]), is_usable
