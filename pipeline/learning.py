"""The values that learning passes from door to door: studies, trials, scores, models, reports."""

from typing import Literal

from pipeline.augmentation.plans import RowAugmentation
from pipeline.findings import Calibration, Interval, RowSides, Sentinel
from pipeline.manifests import Split
from pipeline.recipe import Balance, Scalar, Strategy
from pipeline.wire import Value


class PlannedModel(Value, frozen=True, kw_only=True):
    """What a study tries of one model of its recipe."""

    name: str
    """`00-svm`: its place in the recipe and its family."""
    family: str
    features: str
    oracle: Strategy
    """Who chooses its configurations."""
    trials: tuple[int, ...]
    """Indices of its trials, ascending."""
    configurations: int | None = None
    """How many different ones its search space has; None where there is no end of them."""
    note: str = ""
    """What is special about its search, for people."""


class StudyPlan(Value, frozen=True, kw_only=True):
    """How many trials a study has, and which model each of them tries; their configurations come later."""

    strategy: Strategy
    models: tuple[PlannedModel, ...]

    @property
    def indices(self) -> tuple[int, ...]:
        """The indices of all trials, ascending."""
        return tuple(sorted(index for model in self.models for index in model.trials))

    def model_of(self, index: int) -> int:
        """Return the place in the recipe of the model that a trial tries."""
        return next(place for place, model in enumerate(self.models) if index in model.trials)


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
    origin: dict[str, Scalar] = {}
    """Where an adaptive search has it from: Hyperband's bracket and round, and which trial it continues."""
    balance: Balance = "weights"
    """What is done about classes of different size."""


class FitReport(Value, frozen=True, kw_only=True):
    """One fit of one configuration on one partition."""

    partition: str
    execution: int = 0
    validation_accuracy: float
    """Of tracks, rows aggregated."""
    validation_log_loss: float = 0.0
    """Of tracks, natural logarithm; breaks ties of accuracy."""
    validation_confusion: tuple[tuple[int, ...], ...] = ()
    """Of validation tracks, as in `Scores.confusion`."""
    validation_probabilities: tuple[tuple[float, ...], ...] = ()
    """Of each validation track, in the order of `Partition.validation`: what calibration is settled by."""
    epochs: int
    """Epochs that made the kept weights (the best one's with early stopping); 0 for models without epochs."""
    seconds: float
    parameters: int
    """Trainable numbers in the model."""
    curves: dict[str, tuple[float, ...]] = {}
    """Per epoch: loss, accuracy, val_loss, val_accuracy; empty for models that are not fitted in epochs."""


class Execution(Value, frozen=True, kw_only=True):
    """One execution of a trial: its configuration fitted on every partition, from one seed."""

    trial: int
    number: int
    seed: int
    state: Literal["completed", "failed"]
    objective: float = 0.0
    """Mean validation accuracy over the partitions."""
    fits: tuple[FitReport, ...] = ()
    """Empty inside a `TrialOutcome`, which holds those of all its executions."""
    seconds: float = 0.0
    host: str = ""
    attempts: int = 1
    """Fits that fail are tried again from another seed."""
    reason: str = ""


class TrialOutcome(Value, frozen=True, kw_only=True):
    """How a trial ended."""

    spec: TrialSpec
    """As handed out; with the seed of the first execution, should its own have failed."""
    state: Literal["completed", "failed", "skipped"]
    """Skipped: the search had no configuration left for it."""
    objective: float = 0.0
    """Mean validation accuracy over the executions and partitions."""
    fits: tuple[FitReport, ...] = ()
    executions: tuple[Execution, ...] = ()
    seconds: float = 0.0
    host: str = ""
    attempts: int = 1
    """How often it was begun: once more for every time its worker died or it took too long."""
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
    accuracy_interval: Interval | None = None
    macro_f1_interval: Interval | None = None


class Prediction(Value, frozen=True, kw_only=True):
    """What a model says of one track."""

    track_id: str
    path: str
    label: str
    truth: str | None
    partition: str
    probabilities: tuple[float, ...]
    """In the order of the model's classes, calibrated where the model is."""
    unsure: bool = False
    """Whether the model abstains: `label` is only what it would say if it had to."""
    row: int | None = None
    """Which of the file's rows is meant, where rows are scored and not tracks."""


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
    test_accuracy_interval: Interval | None = None
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
    scored: Literal["tracks", "rows"] = "tracks"
    """What `validation` and `test` count."""
    row_sides: RowSides | None = None
    """How many rows each side has, where rows were parted."""
    segments: dict[str, Scores] = {}
    """Test scores of single rows, by feature family; empty where every track has one row."""
    calibration: Calibration | None = None
    sentinel: Sentinel | None = None
    seconds: float
    model: ModelVersion
