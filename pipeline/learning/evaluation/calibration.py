"""Calibration of probabilities by one temperature, its reliability, and the threshold of an answer."""

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.learning.study.findings import SMALLEST, AnswerRule, Reliability, ReliabilityBin

BINS = 15
"""As many as in Guo et al. (2017)."""

_LOG_RANGE = (-3.0, 3.0)
_PULL_SD = 1.0
"""Standard deviation of the prior of a temperature's logarithm: it keeps a few validation tracks without a mistake from
a temperature near 0. A hundred tracks outweigh it."""


def temperature(probabilities: Float64, truth: Int64) -> float:
    """Return the temperature at which probabilities (n, classes) fit class indices (n,) best.

    Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", 2017): the logits, here logarithms of
    the probabilities, are divided by one number, found by the least log-loss; a weak prior around 1 is added.
    """
    from scipy.optimize import minimize_scalar

    if not len(truth):
        return 1.0
    logits = np.log(np.maximum(probabilities, SMALLEST))
    own = logits[np.arange(len(truth)), truth]

    def cost(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        top = scaled.max(axis=1)
        normaliser = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        loss = float((normaliser - own / np.exp(log_temperature)).sum())
        return loss + 0.5 * (log_temperature / _PULL_SD) ** 2

    fit = minimize_scalar(cost, bounds=_LOG_RANGE, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(fit.x))


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


def threshold(calibrated: Float64, truth: Int64, *, accuracy: float, coverage: float) -> float:
    """Return the probability below which a model should not answer, by validation rows (n, classes).

    The lowest at which the answers reach `accuracy`, so that as many as possible are answered; where no
    threshold reaches that while answering the share `coverage` at least, the one with the most accurate answers. 0
    where all may be answered, or without rows.
    """
    if not len(truth):
        return 0.0
    confidence = calibrated.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    sure = confidence[order]
    right = (calibrated.argmax(axis=1) == truth)[order]
    answered = np.arange(1, len(sure) + 1)
    share_right = np.cumsum(right) / answered
    # A threshold cannot separate equal confidences.
    possible = np.append(sure[1:] < sure[:-1], values=True) & (answered >= coverage * len(sure))
    reached = np.flatnonzero(possible & (share_right >= accuracy))
    if not len(reached):
        reached = np.flatnonzero(possible & (share_right == share_right[possible].max()))
    last = int(reached[-1])
    return 0.0 if last == len(sure) - 1 else float((sure[last] + sure[last + 1]) / 2)


def answer_rule(
    probabilities: Float64, truth: Int64, *, calibrate: bool, accuracy: float, coverage: float
) -> AnswerRule:
    """Return temperature and threshold by probabilities (n, classes) of validation tracks and their true classes."""
    rule = AnswerRule(temperature=temperature(probabilities, truth) if calibrate else 1.0)
    least = threshold(rule.calibrated(probabilities), truth, accuracy=accuracy, coverage=coverage)
    return rule.replace(threshold=least)
