"""The predictions of a registered model for files: values for programs, tables and JSON."""

from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.learning.evaluation import score
from pipeline.learning.models.classifier import Classifier, ProbabilityTimeline
from pipeline.learning.study.results import Scores
from pipeline.library.tracks import Failure
from pipeline.wire import Value


class SegmentPrediction(Value, frozen=True, kw_only=True):
    """The prediction of a model for a segment of a file."""

    start_s: float
    label: str
    probability: float


class TrackPrediction(Value, frozen=True, kw_only=True):
    """The prediction of a model for one file, or the failure of a file without features."""

    path: str
    label: str | None = None
    """The most probable class; None for a file without features."""
    probability: float = 0.0
    probabilities: dict[str, float] = {}
    """By class, the most probable first; only as many as requested."""
    unsure: bool = False
    """Whether the model abstains: the probability is below its threshold, or the file has no usable row."""
    timeline: tuple[SegmentPrediction, ...] = ()
    """Segment by segment, as long as the shortest rows that the model reads, or by chunks where the file was cut."""
    duration_s: float = 0.0
    truth: str | None = None
    """Its own label, where labels were requested."""
    learned: bool = False
    """Whether the model learned from this very content, so that it is no test."""
    failure: Failure | None = None
    note: str = ""
    """What the decoder had to say of a file that was used, in part or whole."""


class PredictionScores(Value, frozen=True, kw_only=True):
    """The scores of predictions of labelled files, without those that the model learned from."""

    scores: Scores
    unsure: int
    """How many of the scored it is unsure of; they count as their most probable class."""
    learned: int
    """How many were left out as the model learned from them."""
    unknown: dict[str, int] = {}
    """Files whose label is no class of the model, by label; they count as wrong."""


def track_prediction(
    classifier: Classifier,
    path: str,
    probabilities: Float64,
    over_time: ProbabilityTimeline,
    *,
    usable: bool,
    top: int | None = None,
) -> TrackPrediction:
    """Return the prediction of a track from its class probabilities (classes,) and its timeline."""
    classes = classifier.classes
    order = np.argsort(-probabilities, kind="stable")
    best = int(order[0])
    return TrackPrediction(
        path=path,
        label=classes[best],
        probability=float(probabilities[best]),
        probabilities={classes[at]: float(probabilities[at]) for at in order[:top].tolist()},
        unsure=not usable or bool(classifier.unsure(probabilities[np.newaxis])[0]),
        timeline=timeline(classes, over_time),
    )


def timeline(classes: Sequence[str], over_time: ProbabilityTimeline) -> tuple[SegmentPrediction, ...]:
    """Return the predictions of a track segment by segment."""
    if not len(over_time.start_s):
        return ()
    best = over_time.probabilities.argmax(axis=1)
    highest = over_time.probabilities[np.arange(len(best)), best]
    return tuple(
        SegmentPrediction(start_s=start_s, label=classes[at], probability=probability)
        for start_s, at, probability in zip(over_time.start_s.tolist(), best.tolist(), highest.tolist(), strict=True)
    )


class ScoreCounter:
    """Counts predictions of labelled files as they come; keeps two numbers of each."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = list(classes)
        self._truth: list[int] = []
        self._predicted: list[int] = []
        self._unsure = 0
        self._learned = 0
        self._unknown: dict[str, int] = {}

    def add(self, predictions: Iterable[TrackPrediction]) -> None:
        """Count predictions in."""
        for prediction in predictions:
            if prediction.truth is None or prediction.label is None:
                continue
            if prediction.learned:
                self._learned += 1
                continue
            if prediction.truth not in self._classes:
                self._unknown[prediction.truth] = self._unknown.get(prediction.truth, 0) + 1
                self._classes.append(prediction.truth)
            elif prediction.truth in self._unknown:
                self._unknown[prediction.truth] += 1
            self._truth.append(self._classes.index(prediction.truth))
            self._predicted.append(self._classes.index(prediction.label))
            self._unsure += prediction.unsure

    def scores(self) -> PredictionScores | None:
        """Return the scores, or None when no file had a label."""
        if not self._truth and not self._learned:
            return None
        truth: Int64 = np.array(self._truth, dtype=np.int64)
        predicted: Int64 = np.array(self._predicted, dtype=np.int64)
        return PredictionScores(
            scores=score(truth, predicted, self._classes),
            unsure=self._unsure,
            learned=self._learned,
            unknown=dict(self._unknown),
        )
