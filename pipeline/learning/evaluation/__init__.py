"""The evaluation of a model: scores and their intervals, calibration, the leakage sentinel, and the gate."""

from pipeline.learning.evaluation.scores import classes_scored, score, score_counts

__all__ = ["classes_scored", "score", "score_counts"]
