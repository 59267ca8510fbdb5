"""What is said of a model: scores, how sure they are, what flatters them, and when it had better say nothing."""

from pipeline.learning.evaluation.scores import score, score_counts

__all__ = ["score", "score_counts"]
