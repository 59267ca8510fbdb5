"""What models say of tracks or of their rows, with what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.arrays import Bool, Float64, Int64
from pipeline.learning.dataset.load import label_indices
from pipeline.learning.dataset.manifests import DatasetManifest
from pipeline.learning.evaluation.intervals import with_intervals
from pipeline.learning.evaluation.scores import score
from pipeline.learning.study.findings import Answering
from pipeline.learning.study.results import Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """Probabilities (n, classes) of tracks or rows; `owner` (n,) is each one's track as a position in the manifest.

    `heard` (n,) tells which were said of rows, and are no class shares for want of any; None for all.
    """

    probabilities: Float64
    owner: Int64
    heard: Bool | None = None

    @property
    def labels(self) -> Int64:
        """The class index of the likeliest class, shape (n,)."""
        likeliest: Int64 = self.probabilities.argmax(axis=1)
        return likeliest

    def truth(self, manifest: DatasetManifest) -> Int64:
        """Return the true class indices, shape (n,)."""
        return label_indices(manifest)[self.owner]

    def calibrated(self, answering: Answering) -> "Votes":
        """Return them at a temperature; class shares stay what they are."""
        probabilities = answering.calibrated(self.probabilities)
        if self.heard is not None:
            probabilities = np.where(self.heard[:, None], probabilities, self.probabilities)
        return replace(self, probabilities=probabilities)

    def scores(self, manifest: DatasetManifest, units: Int64, *, seed: int) -> Scores:
        """Return the scores with their intervals; `units` (tracks,) are the groups of the manifest's tracks."""
        truth = self.truth(manifest)
        plain = score(truth, self.labels, manifest.classes)
        return with_intervals(plain, truth, self.labels, units[self.owner], seed=seed)


def averaged(votes: Sequence[Votes]) -> Votes:
    """Return the mean of what several models say of the same rows."""
    return Votes(probabilities=np.mean([each.probabilities for each in votes], axis=0), owner=votes[0].owner)


def joined(votes: Sequence[Votes]) -> Votes:
    """Return votes one after the other; at least one."""
    return Votes(
        probabilities=np.concatenate([each.probabilities for each in votes]),
        owner=np.concatenate([each.owner for each in votes]),
    )
