"""The facts of a finished study that cautions are found in."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.study.results import EvaluationReport
from pipeline.plans.search import Strategy
from pipeline.text import printable

_NAMED = 3
"""Names that a sentence lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """A study with its evaluation."""

    manifest: DatasetManifest
    split: Split
    evaluation: EvaluationReport
    strategy: Strategy = "random"
    """By which configurations were searched."""

    @property
    def class_sizes(self) -> Counter[str]:
        """Tracks by class."""
        return Counter(track.label for track in self.manifest.tracks)

    def labels_of(self, positions: Iterable[int]) -> set[str]:
        """Return the classes of some tracks."""
        return {self.manifest.tracks[position].label for position in positions}


def named(names: Sequence[str]) -> str:
    """Return some names for a sentence, the first of many."""
    shown = ", ".join(printable(name) for name in names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED:,} more"
