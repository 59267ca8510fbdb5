"""The evaluation of a model: scores and their intervals, calibration, the leakage sentinel, and the gate."""

from pipeline.learning.evaluation.scores import score, score_counts

__all__ = ["score", "score_counts"]
