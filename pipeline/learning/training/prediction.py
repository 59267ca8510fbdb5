"""What a registered model says of files: values for programs, tables and JSON."""

from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.learning.evaluation import score
from pipeline.learning.models.classifier import Classifier, TrackSaid
from pipeline.learning.study.results import Scores
from pipeline.library.tracks import Failure
from pipeline.wire import Value


class SegmentPrediction(Value, frozen=True, kw_only=True):
    """What a model says of a piece of a file."""

    start_s: float
    label: str
    probability: float


class TrackPrediction(Value, frozen=True, kw_only=True):
    """What a model says of one file; of one that has no features, why."""

    path: str
    label: str | None = None
    """The most probable class; None for a file without features."""
    probability: float = 0.0
    probabilities: dict[str, float] = {}
    """By class, the most probable first; only so many as were asked for."""
    unsure: bool = False
    """Whether the model abstains: the probability is below its threshold, or nothing in the file could be judged."""
    timeline: tuple[SegmentPrediction, ...] = ()
    """Segment by segment, as long as the rows of the finest features the model reads, or chunks where it was cut."""
    duration_s: float = 0.0
    truth: str | None = None
    """The label its owner gives, where labels were asked for."""
    learned: bool = False
    """Whether the model learned from this very content, so that it proves nothing."""
    failure: Failure | None = None


class PredictionScores(Value, frozen=True, kw_only=True):
    """How predictions of labelled files do, those left out that the model learned from."""

    scores: Scores
    unsure: int
    """How many of the scored it is unsure of; they count as their most probable class."""
    learned: int
    """How many were left out as the model learned from them."""
    unknown: dict[str, int] = {}
    """Files whose label is no class of the model, by label; they count as wrong."""


def predictions_of(
    classifier: Classifier,
    path: str,
    probabilities: Float64,
    over_time: TrackSaid,
    *,
    usable: bool,
    top: int | None = None,
) -> TrackPrediction:
    """Return what is said of a track, from its class probabilities (classes,) and what is said of it over time."""
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


def timeline(classes: Sequence[str], over_time: TrackSaid) -> tuple[SegmentPrediction, ...]:
    """Return what is said of a track piece by piece."""
    if not len(over_time.start_s):
        return ()
    best = over_time.probabilities.argmax(axis=1)
    highest = over_time.probabilities[np.arange(len(best)), best]
    return tuple(
        SegmentPrediction(start_s=start_s, label=classes[at], probability=probability)
        for start_s, at, probability in zip(over_time.start_s.tolist(), best.tolist(), highest.tolist(), strict=True)
    )


class ScoreCounter:
    """Adds up predictions of labelled files as they come; holds two numbers of each."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = list(classes)
        self._truth: list[int] = []
        self._said: list[int] = []
        self._unsure = 0
        self._learned = 0
        self._unknown: dict[str, int] = {}

    def take(self, predictions: Iterable[TrackPrediction]) -> None:
        """Count predictions in."""
        for each in predictions:
            if each.truth is None or each.label is None:
                continue
            if each.learned:
                self._learned += 1
                continue
            if each.truth not in self._classes:
                self._unknown[each.truth] = self._unknown.get(each.truth, 0) + 1
                self._classes.append(each.truth)
            elif each.truth in self._unknown:
                self._unknown[each.truth] += 1
            self._truth.append(self._classes.index(each.truth))
            self._said.append(self._classes.index(each.label))
            self._unsure += each.unsure

    def scores(self) -> PredictionScores | None:
        """Return the scores, or None when no file had a label."""
        if not self._truth and not self._learned:
            return None
        truth: Int64 = np.array(self._truth, dtype=np.int64)
        said: Int64 = np.array(self._said, dtype=np.int64)
        return PredictionScores(
            scores=score(truth, said, self._classes),
            unsure=self._unsure,
            learned=self._learned,
            unknown=dict(self._unknown),
        )
