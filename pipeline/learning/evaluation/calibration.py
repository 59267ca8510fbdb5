"""Calibration of probabilities by one temperature, its reliability, and the rule of an answer."""

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.learning.evaluation.intervals import effective_groups
from pipeline.learning.evaluation.threshold import threshold
from pipeline.learning.study.findings import SMALLEST, AnswerRule, Reliability, ReliabilityBin

BINS = 15
"""As many as in Guo et al. (2017)."""

_LOG_RANGE = (-3.0, 3.0)
_PULL_SD = 1.0
"""Standard deviation of the prior of a temperature's logarithm: it keeps a few validation groups without a mistake from
a temperature near 0. A hundred groups outweigh it."""
_FOLDS = 10
"""Groups are left out one by one, or in so many parts."""


def temperature(probabilities: Float64, truth: Int64, weights: Float64) -> float:
    """Return the temperature at which probabilities (n, classes) fit class indices (n,) best, each by its weight (n,).

    Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", 2017): the logits, here logarithms of
    the probabilities, are divided by one number, found by the least log-loss; a weak prior around 1 is added, which
    counts as much as one of as many observations as the weights sum up to.
    """
    from scipy.optimize import minimize_scalar

    if not len(truth):
        return 1.0

    def cost(log_temperature: float) -> float:
        losses = _log_losses(probabilities, truth, float(np.exp(log_temperature)))
        return float((weights * losses).sum()) + 0.5 * (log_temperature / _PULL_SD) ** 2

    fit = minimize_scalar(cost, bounds=_LOG_RANGE, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(fit.x))


def group_temperature(probabilities: Float64, truth: Int64, units: Int64) -> float:
    """Return the temperature that fits validation rows (n, classes) in groups `units` (n,), or 1.

    Tracks of one group say one thing together: the weights sum up to the number of groups of equal size that they are
    worth. It is kept only if temperatures that were fitted without a group make the log-loss of that group's rows
    better, on average by more than the standard error over the groups; with one group nobody can tell.
    """
    groups, unit = np.unique(units, return_inverse=True)
    if len(groups) < 2:
        return 1.0
    counted = np.bincount(unit).astype(np.float64)
    weights = np.full(len(truth), effective_groups(counted) / len(truth))
    fold = np.random.default_rng(len(groups)).permutation(len(groups))[unit] % min(len(groups), _FOLDS)
    gains = np.zeros(len(truth))
    for number in range(int(fold.max()) + 1):
        others = fold != number
        found = temperature(probabilities[others], truth[others], weights[others])
        own = ~others
        gains[own] = _log_losses(probabilities[own], truth[own], 1.0) - _log_losses(
            probabilities[own], truth[own], found
        )
    of_groups = np.bincount(unit, weights=gains) / counted
    is_better = of_groups.mean() > of_groups.std(ddof=1) / len(groups) ** 0.5
    return temperature(probabilities, truth, weights) if is_better else 1.0


def _log_losses(probabilities: Float64, truth: Int64, temperature: float) -> Float64:
    """Return the log-loss of each row at a temperature, (n,)."""
    logits = np.log(np.maximum(probabilities, SMALLEST)) / temperature
    top = logits.max(axis=1)
    normaliser = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    losses: Float64 = normaliser - logits[np.arange(len(truth)), truth]
    return losses


def reliability(probabilities: Float64, truth: Int64) -> Reliability:
    """Return the expected calibration error, the log-loss and the bins of probabilities (n, classes).

    Fifteen bins of equal width over the probability of the label given, (0, 1/15], ... (14/15, 1].
    """
    if not len(truth):
        return Reliability(ece=0.0, log_loss=0.0, bins=())
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    sure, hits = (np.bincount(bins, weights=what, minlength=BINS) for what in (confidence, right))
    likelihood = np.maximum(probabilities[np.arange(len(truth)), truth], SMALLEST)
    return Reliability(
        ece=float(np.abs(sure - hits).sum() / len(truth)),
        log_loss=float(-np.log(likelihood).mean()),
        bins=tuple(
            ReliabilityBin(confidence=float(s / n), accuracy=float(h / n), n=int(n))
            for s, h, n in zip(sure, hits, counts, strict=True)
            if n
        ),
    )


def answer_rule(
    probabilities: Float64, truth: Int64, units: Int64, *, calibrate: bool, accuracy: float, coverage: float
) -> AnswerRule:
    """Return temperature and threshold by probabilities (n, classes) of validation tracks, their classes and groups."""
    rule = AnswerRule(temperature=group_temperature(probabilities, truth, units) if calibrate else 1.0)
    least = threshold(rule.calibrated(probabilities), truth, units, accuracy=accuracy, coverage=coverage)
    return rule.replace(threshold=least)
