"""The values that learning passes from door to door: tracks in a dataset, splits, trials, scores, models, reports."""

import hashlib
from typing import Literal

import msgspec

from pipeline.augmentation.plans import AugmentPlan, RowAugmentation, Variation
from pipeline.recipe import Scalar
from pipeline.wire import Value


class AugmentedCopy(Value, frozen=True, kw_only=True):
    """An altered copy of a track, whose features are stored under a content hash of its own."""

    content_hash: str
    variation: Variation


class DatasetTrack(Value, frozen=True, kw_only=True):
    """One labelled track whose features are stored."""

    track_id: str
    content_hash: str
    path: str
    label: str
    group: str | None = None
    fold: str | None = None
    copies: tuple[AugmentedCopy, ...] = ()
    """Altered copies: they go wherever the track goes, and are read only where it is learned from."""


class ExcludedTrack(Value, frozen=True, kw_only=True):
    """A scanned track that cannot be learned from, and why."""

    path: str
    reason: str


class DatasetManifest(Value, frozen=True, kw_only=True):
    """Exactly what a study learns from; equal digests mean equal data."""

    run_id: str
    families: dict[str, str]
    """Feature family name to the key (with fingerprint) of its rows in the store."""
    classes: tuple[str, ...]
    """Sorted label names; a class index is a position here."""
    tracks: tuple[DatasetTrack, ...]
    excluded: tuple[ExcludedTrack, ...] = ()

    def copies(self, augment: AugmentPlan) -> tuple[int, int]:
        """Return how many altered copies stand beside the tracks, and how many a plan asks for."""
        return sum(len(track.copies) for track in self.tracks), augment.copies * len(self.tracks)

    @property
    def digest(self) -> str:
        """BLAKE2b-128 over families, classes and every track's content, label, group, fold and copies."""
        told = [
            [t.content_hash, t.label, t.group, t.fold, *(copy.content_hash for copy in t.copies)] for t in self.tracks
        ]
        blob = msgspec.json.encode([self.families, self.classes, sorted(told, key=str)], order="deterministic")
        return hashlib.blake2b(blob, digest_size=16).hexdigest()


class Partition(Value, frozen=True, kw_only=True):
    """One parting of the tracks: positions in `DatasetManifest.tracks`, disjoint."""

    name: str
    """`holdout`, or the name of the fold that is tested."""
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


class Split(Value, frozen=True, kw_only=True):
    """How the tracks were parted; one partition, or one per fold."""

    strategy: Literal["folds", "grouped"]
    seed: int
    groups: int
    """How many groups there were that had to stay whole."""
    partitions: tuple[Partition, ...]
    notes: tuple[str, ...] = ()
    """What the reader of a report should know, e.g. duplicates that were kept together."""


class SplitFacts(Value, frozen=True, kw_only=True):
    """A split in short."""

    strategy: str
    seed: int
    groups: int
    partitions: int
    train: int
    """Tracks, summed over the partitions; so are the others."""
    validation: int
    test: int

    @classmethod
    def of(cls, split: Split) -> "SplitFacts":
        """Return a split in short."""
        parts = split.partitions
        return cls(
            strategy=split.strategy,
            seed=split.seed,
            groups=split.groups,
            partitions=len(parts),
            train=sum(len(part.train) for part in parts),
            validation=sum(len(part.validation) for part in parts),
            test=sum(len(part.test) for part in parts),
        )


class TrialSpec(Value, frozen=True, kw_only=True):
    """One configuration to try."""

    run_id: str
    index: int
    family: str
    """Model family."""
    features: str
    """Feature family name."""
    hyperparameters: dict[str, Scalar]
    seed: int
    augment: RowAugmentation | None = None
    """Altered copies of the training rows."""


class FitReport(Value, frozen=True, kw_only=True):
    """One fit of one configuration on one partition."""

    partition: str
    validation_accuracy: float
    """Of tracks, rows aggregated."""
    validation_log_loss: float = 0.0
    """Of tracks, natural logarithm; breaks ties of accuracy."""
    validation_confusion: tuple[tuple[int, ...], ...] = ()
    """Of validation tracks, as in `Scores.confusion`."""
    epochs: int
    """Epochs that made the kept weights (the best one's with early stopping); 0 for models without epochs."""
    seconds: float
    parameters: int
    """Trainable numbers in the model."""
    curves: dict[str, tuple[float, ...]] = {}
    """Per epoch: loss, accuracy, val_loss, val_accuracy; empty for models that are not fitted in epochs."""


class TrialOutcome(Value, frozen=True, kw_only=True):
    """How a trial ended."""

    spec: TrialSpec
    state: Literal["completed", "failed"]
    objective: float = 0.0
    """Mean validation accuracy over the partitions."""
    fits: tuple[FitReport, ...] = ()
    seconds: float = 0.0
    host: str = ""
    reason: str = ""


class ClassScores(Value, frozen=True, kw_only=True):
    """Scores of one class; `n` is how many tracks truly belong to it."""

    precision: float
    recall: float
    f1: float
    n: int


class Scores(Value, frozen=True, kw_only=True):
    """Scores over tracks."""

    accuracy: float
    macro_f1: float
    n: int
    per_class: dict[str, ClassScores]
    confusion: tuple[tuple[int, ...], ...]
    """Rows: true class, columns: predicted class, counts, in the order of `classes`."""


class Prediction(Value, frozen=True, kw_only=True):
    """What a model says of one track."""

    track_id: str
    path: str
    label: str
    truth: str | None
    partition: str
    probabilities: tuple[float, ...]
    """In the order of the model's classes."""


class ModelVersion(Value, frozen=True, kw_only=True):
    """A registered model: everything needed to use it and to repeat it."""

    version: str
    """`v0001`, `v0002`, ..."""
    run_id: str
    recipe: str
    family: str
    """Model family of the winner; `ensemble(a+b)` when several vote."""
    features: tuple[str, ...]
    """Keys, with fingerprints, of the feature families it reads."""
    classes: tuple[str, ...]
    members: tuple[TrialSpec, ...]
    dataset_digest: str
    created: str
    test_accuracy: float
    seed: int
    path: str = ""
    """Folder of the version, absolute."""
    versions: dict[str, str] = {}
    metrics: dict[str, float] = {}
    """What the report says of it in numbers, by name."""
    split: SplitFacts | None = None
    files: dict[str, str] = {}
    """The first 128 bits of SHA-256 of each of its files, 32 hex digits, by path within its folder."""


class EvaluationReport(Value, frozen=True, kw_only=True):
    """How the winner does; the test tracks were read once, after every choice was made."""

    run_id: str
    classes: tuple[str, ...]
    validation: Scores
    test: Scores
    per_partition: dict[str, Scores]
    """Test scores of each partition."""
    chosen: dict[str, tuple[int, ...]]
    """Per partition, the indices of the trials that were chosen by validation."""
    predictions: tuple[Prediction, ...]
    """Of the test tracks."""
    seconds: float
    model: ModelVersion
