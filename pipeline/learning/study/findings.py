"""The findings beside the scores: their intervals, calibration and answer rule, and the leakage sentinel."""

from typing import Literal

import numpy as np

from pipeline.arrays import Bool, Float64
from pipeline.wire import Value

SMALLEST = 1e-12
"""Probabilities below count as this where a logarithm is taken: float32 models return 0."""


class Caution(Value, frozen=True, kw_only=True):
    """What a reader of a score should know first."""

    kind: str
    """Its name for programs, such as `few_groups`."""
    what: str
    """One sentence, without its full stop."""
    mend: str = ""
    """What would help."""


class Interval(Value, frozen=True, kw_only=True):
    """A confidence interval of a score."""

    low: float
    high: float
    level: float = 0.95
    method: Literal["t", "exact", "bootstrap", "wilson"]
    """`t`: Student's over groups; `exact` where no tested track is wrong, or none is right; `wilson` where no tracks
    share a group. The bootstrap is of reports by an older chordal."""
    units: int
    """Groups that it speaks of: what must stay together in a split is right or wrong together."""
    resamples: int = 0
    """Of a bootstrap; so is the seed."""
    seed: int = 0


class AnswerRule(Value, frozen=True, kw_only=True):
    """How a model's probabilities become an answer, or none: temperature and threshold."""

    temperature: float = 1.0
    """Logits are divided by it (Guo et al., 2017): above 1 the model was overconfident."""
    threshold: float = 0.0
    """Below this probability of the likeliest class the answer is "unsure"."""

    def calibrated(self, probabilities: Float64) -> Float64:
        """Return the probabilities (n, classes) at this temperature; the likeliest class stays the likeliest."""
        if self.temperature == 1.0:
            return probabilities
        logits = np.log(np.maximum(probabilities, SMALLEST)) / self.temperature
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: Float64 = exponentials / exponentials.sum(axis=1, keepdims=True)
        return shares

    def unsure(self, calibrated: Float64) -> Bool:
        """Return for each row of calibrated probabilities (n, classes) whether there is no answer, (n,)."""
        is_unsure: Bool = calibrated.max(axis=1, initial=0.0) < self.threshold
        return is_unsure


class ReliabilityBin(Value, frozen=True, kw_only=True):
    """The predictions with a confidence in one bin of 0..1."""

    confidence: float
    """Mean probability of the label given."""
    accuracy: float
    n: int


class Reliability(Value, frozen=True, kw_only=True):
    """How far the confidence of predictions agrees with their accuracy."""

    ece: float
    """Expected calibration error: mean distance of confidence and accuracy over the bins, weighted by predictions."""
    log_loss: float
    """Natural logarithm."""
    bins: tuple[ReliabilityBin, ...]
    """Fifteen of equal width, as in Guo et al. (2017)."""


class Calibration(Value, frozen=True, kw_only=True):
    """The effect of temperature and threshold on the test; both were chosen on validation tracks."""

    delivered: AnswerRule
    """The rule in the classifier's card."""
    per_partition: dict[str, AnswerRule]
    """The rule for the test of each partition: from its own validation tracks alone."""
    fitted_on: int
    """Validation tracks behind `delivered`, each counted once."""
    groups: int = 0
    """Groups of these tracks; 0 in reports of an older chordal."""
    before: Reliability
    after: Reliability
    """Of the test, without and with the temperature."""
    target_accuracy: float
    """The accuracy of the answers that the threshold aims at."""
    least_coverage: float
    """The smallest share of answers that it may have."""
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
    """The score of a model under one way of splitting the rows."""

    accuracy: float
    """Of rows."""
    interval: Interval | None = None


class SentinelGap(Value, frozen=True, kw_only=True):
    """By how much the score of one split is above that of another, on the same rows."""

    gap: float
    """Difference of the accuracies, 0.05 for five points."""
    interval: Interval | None = None


class Sentinel(Value, frozen=True, kw_only=True):
    """One model under several splits of the same rows, each learned from equally many: the effect of a leak.

    All tracks take part, after every choice was made; nothing is chosen by it.
    """

    family: str
    """Model family."""
    features: str
    is_winner: bool
    """Whether it is the configuration that was chosen, and not a quick model in its place."""
    rows: int
    """That took part, ..."""
    tracks: int
    """... of so many tracks ..."""
    units: int
    """... in so many groups."""
    folds: int
    learned_from: int = 0
    """Rows in each fit, the same number for each split."""
    tested: int = 0
    """Rows that every split was tested on."""
    random: SentinelScore | None = None
    """Rows assigned singly."""
    neighbours: SentinelScore | None = None
    """Stretches kept whole: tracks next to each other in the library; where a class has few, stretches of time."""
    honest: SentinelScore | None = None
    """Whole groups; None when no class has two."""
    gap: SentinelGap | None = None
    """`random` less `honest`."""
    hidden: SentinelGap | None = None
    """`honest` less `neighbours`: above 0 where tracks next to each other belong together without being grouped."""
    untold: tuple[str, ...] = ()
    """Classes with a single group, which cannot be tested on unseen groups."""
    reason: str = ""
    """Why a score is missing."""

    @property
    def knows_groups(self) -> bool:
        """Whether anything is known of what belongs together: rows of one track, or tracks of one group."""
        return not self.rows == self.tracks == self.units
