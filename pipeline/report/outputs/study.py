"""A study that has ended, for the outputs of its recipe."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.audio.stream import Audio
from pipeline.features.registry import family
from pipeline.features.spec import FeatureSpec
from pipeline.learning.dataset.load import Rows, RowSource, load_rows
from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.models import Classifier, load_model
from pipeline.learning.models.base import TrainedModel
from pipeline.learning.study.results import EvaluationReport
from pipeline.learning.study.trials import TrialOutcome, TrialSpec
from pipeline.plans.recipe import Recipe

MOST_FILES = 12
"""How many files are decoded for the pictures of one section."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study with its data, its outcomes and its classifier."""

    recipe: Recipe
    manifest: DatasetManifest
    split: Split
    outcomes: Sequence[TrialOutcome]
    evaluation: EvaluationReport
    source: RowSource
    model: Path
    """Folder of the delivered classifier."""
    folder: Path
    """Where outputs keep files of their own."""
    decode: Callable[[str], Audio]
    """Returns the samples of a file; raises the errors of `pipeline.errors` about files."""
    unlabelled: tuple[str, ...] = ()
    """Paths of scanned files without a label, some of them."""

    @cached_property
    def classifier(self) -> Classifier:
        """The delivered classifier, as its files have it."""
        return load_model(self.model)

    @property
    def spec(self) -> TrialSpec:
        """The configuration of the delivered classifier's first member, which the outputs are about."""
        return self.evaluation.model.members[0]

    @property
    def outcome(self) -> TrialOutcome:
        """The trial that the first member came from."""
        return next(outcome for outcome in self.outcomes if outcome.spec.index == self.spec.index)

    @property
    def trained(self) -> TrainedModel:
        """The delivered classifier's first member."""
        return self.classifier.models[0]

    @property
    def features(self) -> FeatureSpec:
        """The feature family that the first member reads."""
        return family(self.spec.features).spec

    @cached_property
    def rows(self) -> Rows:
        """The rows that the first member reads, of all tracks and of the altered copies of those learned from."""
        return load_rows(self.manifest, self.spec.features, self.source, copies_of=self.learned)

    @property
    def is_crossed(self) -> bool:
        """Whether every track was tested once: the delivered classifier has then learned from all of them."""
        return len(self.split.partitions) > 1

    @property
    def learned(self) -> tuple[int, ...]:
        """The tracks that the delivered classifier learned from, as positions in the manifest."""
        if self.is_crossed:
            return tuple(range(len(self.manifest.tracks)))
        part = self.split.partitions[0]
        return tuple(sorted((*part.train, *part.validation))) if self.recipe.search.refit else part.train

    @property
    def validation(self) -> tuple[int, ...]:
        """The tracks that it was validated with and did not learn from."""
        part = self.split.partitions[0]
        return () if self.is_crossed or self.recipe.search.refit else part.validation

    @property
    def sides(self) -> Mapping[str, tuple[int, ...]]:
        """The tracks by their side for the delivered classifier; only sides that have any."""
        part = self.split.partitions[0]
        test = () if self.is_crossed else part.test
        named = {"training": self.learned, "validation": self.validation, "test": test}
        return {name: tracks for name, tracks in named.items() if tracks}

    def one_of_each_class(self, *, most: int = MOST_FILES) -> dict[str, str]:
        """Return the path of the first track of each class, by class; of so many classes at most."""
        first: dict[str, str] = {}
        for track in self.manifest.tracks:
            first.setdefault(track.label, track.path)
        return {label: first[label] for label in sorted(first)[:most]}

    def sample(self, count: int, side: str) -> list[int]:
        """Return up to `count` positions of a side in a random order that depends on the seed alone."""
        tracks = np.array(self.sides.get(side, ()), dtype=np.int64)
        chosen: list[int] = np.random.default_rng(self.split.seed % 2**64).permutation(tracks)[:count].tolist()
        return chosen
