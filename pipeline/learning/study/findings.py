"""What is found out beside the scores: how sure they are, what flatters them, when a model should say nothing."""

from typing import Literal

import numpy as np

from pipeline.arrays import Bool, Float64
from pipeline.wire import Value

SMALLEST = 1e-12
"""Probabilities below count as this where a logarithm is taken: float32 models say 0."""


class Interval(Value, frozen=True, kw_only=True):
    """A confidence interval of a score."""

    low: float
    high: float
    level: float = 0.95
    method: Literal["bootstrap", "wilson"]
    """`wilson` where the tracks tested hold no mistake (or nothing but): drawing them again shows no spread."""
    units: int
    """Groups that were drawn with replacement: what must stay together in a split is drawn together."""
    resamples: int = 0
    seed: int = 0


class Answering(Value, frozen=True, kw_only=True):
    """How a model's probabilities become an answer, or none."""

    temperature: float = 1.0
    """Logits are divided by it (Guo et al., 2017): above 1 the model had been too sure of itself."""
    threshold: float = 0.0
    """Below this probability of the likeliest class the answer is "unsure"."""

    def calibrated(self, probabilities: Float64) -> Float64:
        """Return the probabilities (n, classes) at this temperature; the likeliest class stays the likeliest."""
        if self.temperature == 1.0:
            return probabilities
        logits = np.log(np.maximum(probabilities, SMALLEST)) / self.temperature
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: Float64 = raised / raised.sum(axis=1, keepdims=True)
        return shares

    def unsure(self, calibrated: Float64) -> Bool:
        """Tell for each row of calibrated probabilities (n, classes) whether no answer should be given, (n,)."""
        silent: Bool = calibrated.max(axis=1, initial=0.0) < self.threshold
        return silent


class ReliabilityBin(Value, frozen=True, kw_only=True):
    """The predictions whose confidence lies in one stretch of 0..1."""

    confidence: float
    """Mean probability of the label given."""
    accuracy: float
    n: int


class Reliability(Value, frozen=True, kw_only=True):
    """How far the confidence of predictions is what it says."""

    ece: float
    """Expected calibration error: mean distance of confidence and accuracy over the bins, weighted by predictions."""
    log_loss: float
    """Natural logarithm."""
    bins: tuple[ReliabilityBin, ...]
    """Fifteen of equal width, as in Guo et al. (2017)."""


class Calibration(Value, frozen=True, kw_only=True):
    """What temperature and threshold do on the test; both were chosen on validation tracks."""

    delivered: Answering
    """What stands in the classifier's card."""
    per_partition: dict[str, Answering]
    """What the test of each partition was read with: from its own validation tracks alone."""
    fitted_on: int
    """Validation tracks behind `delivered`."""
    before: Reliability
    after: Reliability
    """Of the test, without and with the temperature."""
    target_accuracy: float
    """What the threshold is after, among the answers."""
    least_coverage: float
    """The share of answers it does not go below."""
    answered: int
    """Test tracks that got an answer."""
    n: int
    """Test tracks."""
    right: int
    """Of the answers."""

    @property
    def coverage(self) -> float:
        """The share of test tracks that got an answer."""
        return self.answered / self.n if self.n else 0.0

    @property
    def accuracy(self) -> float | None:
        """The share of answers that were right; None when there was no answer."""
        return self.right / self.answered if self.answered else None


class SentinelScore(Value, frozen=True, kw_only=True):
    """What one way of parting the rows makes a model look like."""

    accuracy: float
    """Of rows."""
    interval: Interval | None = None


class SentinelGap(Value, frozen=True, kw_only=True):
    """By how much a parting of single rows looks better than another, on the same rows."""

    gap: float
    """Difference of the accuracies, 0.05 for five points."""
    interval: Interval | None = None


class Sentinel(Value, frozen=True, kw_only=True):
    """One model under several partings of the same rows, each learned from equally many: what a leak would add.

    All tracks take part, after every choice was made; nothing is chosen by it.
    """

    family: str
    """Model family."""
    features: str
    is_winner: bool
    """Whether it is the configuration that was chosen, and not a quick model that stands in for it."""
    rows: int
    """That took part, ..."""
    tracks: int
    """... of so many tracks ..."""
    units: int
    """... in so many groups."""
    folds: int
    learned_from: int = 0
    """Rows in each fit, the same number for each parting."""
    tested: int = 0
    """Rows that every parting was tested on."""
    random: SentinelScore | None = None
    """Rows dealt out singly."""
    neighbours: SentinelScore | None = None
    """Stretches kept whole: tracks next to each other in the library; where a class has few, stretches of time."""
    honest: SentinelScore | None = None
    """Whole groups; None when no class has two."""
    gap: SentinelGap | None = None
    """`random` less `honest`."""
    hidden: SentinelGap | None = None
    """`honest` less `neighbours`: above 0 where tracks next to each other belong together and nobody said so."""
    untold: tuple[str, ...] = ()
    """Classes with a single group: nothing can be said of how they would do on unseen ones."""
    reason: str = ""
    """Why a score is missing."""
