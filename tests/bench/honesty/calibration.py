"""What the temperature does to other groups than it was fitted on, by how sure of itself the model is."""

import sys

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.learning.evaluation.calibration import group_temperature, reliability, temperature
from pipeline.learning.study.findings import AnswerRule

RUNS = 60
CLASSES = 10


def simulate() -> None:
    """Print how often a temperature is kept, how often it makes the log-loss worse, and the mean change."""
    sys.stdout.write("\ntemperature: kept, worse on 20 other groups (as each track for itself), change of log-loss\n")
    for sharpness in (1.0, 1.3, 2.0):
        for groups, of_group in ((1, 100), (2, 100), (3, 100), (6, 100), (12, 50), (100, 1)):
            kept = worse = plainly = 0
            changes = []
            for run in range(RUNS):
                random = np.random.default_rng([run, groups, of_group, int(10 * sharpness)])
                probabilities, truth, units = _drawn(groups, of_group, sharpness, random)
                others, other_truth, _ = _drawn(20, 100, sharpness, random)
                found = group_temperature(probabilities, truth, units)
                plain = temperature(probabilities, truth, np.ones(len(truth)))
                losses = [
                    reliability(AnswerRule(temperature=each).calibrated(others), other_truth).log_loss
                    for each in (1.0, found, plain)
                ]
                kept += found != 1.0
                worse += losses[1] > losses[0]
                plainly += losses[2] > losses[0]
                changes.append(losses[1] - losses[0])
            sys.stdout.write(
                f"sharpness {sharpness:.1f}, {groups:>3} groups of {of_group:>3}: kept {100 * kept / RUNS:3.0f} %, "
                f"worse {100 * worse / RUNS:3.0f} % ({100 * plainly / RUNS:3.0f} %), {np.mean(changes):+.3f}\n"
            )


def _drawn(groups: int, of_group: int, sharpness: float, random: np.random.Generator) -> tuple[Float64, Int64, Int64]:
    """Return probabilities, true classes and groups: the model is `sharpness` times too sure, of some groups more."""
    logits = random.normal(0, 1.5, (groups * of_group, CLASSES))
    units = np.repeat(np.arange(groups), of_group)
    factor = sharpness * np.exp(random.normal(0, 0.4, groups))[units, None]
    honest, loud = (np.exp(each) / np.exp(each).sum(axis=1, keepdims=True) for each in (logits, logits * factor))
    truth = (honest.cumsum(axis=1) > random.random((len(units), 1))).argmax(axis=1)
    return loud, truth, units
