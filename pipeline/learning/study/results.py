"""The results of a study: scores, predictions, models, reports."""

from typing import Literal

from pipeline.learning.dataset.flaws import RowSides
from pipeline.learning.dataset.manifests import Split
from pipeline.learning.study.findings import Calibration, Caution, Interval, Sentinel
from pipeline.learning.study.trials import TrialSpec
from pipeline.wire import Value


class SplitFacts(Value, frozen=True, kw_only=True):
    """A summary of a split."""

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
        """Return the summary of a split."""
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
    top2: float | None = None
    """Share of tracks whose true class is one of the two likeliest; None where it was not counted."""

    @property
    def majority_share(self) -> float:
        """The accuracy of always naming the class that is largest among the scored tracks."""
        return max((sum(row) for row in self.confusion), default=0) / self.n if self.n else 0.0


class GroupScore(Value, frozen=True, kw_only=True):
    """The test of one group: an artist, album, speaker or source."""

    name: str
    fold: str
    """The partition that tested it."""
    n: int
    """Its test tracks."""
    right: int


class Prediction(Value, frozen=True, kw_only=True):
    """A model's prediction of one track."""

    track_id: str
    path: str
    label: str
    truth: str | None
    partition: str
    probabilities: tuple[float, ...]
    """In the order of the model's classes, calibrated where the model is."""
    unsure: bool = False
    """Whether the model abstains: `label` is its likeliest class all the same."""
    row: int | None = None
    """The row of the file, where rows are scored and not tracks."""


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
    """The numbers of the report, by name."""
    split: SplitFacts | None = None
    files: dict[str, str] = {}
    """The first 128 bits of SHA-256 of each of its files, 32 hex digits, by path within its folder."""


class EvaluationReport(Value, frozen=True, kw_only=True):
    """The evaluation of the winner; the test tracks were read once, after every choice was made."""

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
    """How many rows each side has, where rows were split."""
    segments: dict[str, Scores] = {}
    """Test scores of single rows, by feature family; empty where every track has one row."""
    by_group: tuple[GroupScore, ...] = ()
    """The tested groups with the least accuracy, worst first; empty where no groups were told."""
    groups_tested: int = 0
    """How many groups were tested in all."""
    calibration: Calibration | None = None
    sentinel: Sentinel | None = None
    cautions: tuple[Caution, ...] = ()
    """What a reader of the scores should know first, the weightiest first."""
    seconds: float
    model: ModelVersion
