"""Votes: the class probabilities that models give to tracks or rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.arrays import Bool, Float64, Int64
from pipeline.learning.dataset.load import label_indices
from pipeline.learning.dataset.manifests import DatasetManifest
from pipeline.learning.evaluation.intervals import with_intervals
from pipeline.learning.evaluation.scores import score
from pipeline.learning.study.findings import AnswerRule
from pipeline.learning.study.results import Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """Probabilities (n, classes) of tracks or rows; `owner` (n,) is each one's track as a position in the manifest.

    `has_rows` (n,) marks the tracks with usable rows; the others have the class shares. None for all.
    """

    probabilities: Float64
    owner: Int64
    has_rows: Bool | None = None

    @property
    def labels(self) -> Int64:
        """The class index of the likeliest class, shape (n,)."""
        likeliest: Int64 = self.probabilities.argmax(axis=1)
        return likeliest

    def truth(self, manifest: DatasetManifest) -> Int64:
        """Return the true class indices, shape (n,)."""
        return label_indices(manifest)[self.owner]

    def calibrated(self, answering: AnswerRule) -> "Votes":
        """Return them at a temperature; class shares are unchanged."""
        probabilities = answering.calibrated(self.probabilities)
        if self.has_rows is not None:
            probabilities = np.where(self.has_rows[:, None], probabilities, self.probabilities)
        return replace(self, probabilities=probabilities)

    def scores(self, manifest: DatasetManifest, units: Int64) -> Scores:
        """Return the scores with their intervals; `units` (tracks,) are the groups of the manifest's tracks."""
        truth = self.truth(manifest)
        plain = score(truth, self.labels, manifest.classes, top2=self._top2(truth))
        return with_intervals(plain, truth, self.labels, units[self.owner])

    def _top2(self, truth: Int64) -> float | None:
        """Return the share whose true class is one of the two likeliest; None with fewer than three classes."""
        if self.probabilities.shape[1] < 3 or not len(truth):
            return None
        two = np.argpartition(self.probabilities, -2, axis=1)[:, -2:]
        return float(np.mean((two == truth[:, None]).any(axis=1)))


def mean_votes(votes: Sequence[Votes]) -> Votes:
    """Return the mean of the votes of several models on the same rows."""
    return Votes(probabilities=np.mean([part.probabilities for part in votes], axis=0), owner=votes[0].owner)


def join_votes(votes: Sequence[Votes]) -> Votes:
    """Return votes one after the other; at least one."""
    return Votes(
        probabilities=np.concatenate([part.probabilities for part in votes]),
        owner=np.concatenate([part.owner for part in votes]),
    )
