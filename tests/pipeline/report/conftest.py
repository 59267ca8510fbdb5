"""Report contents as a run would hand them over."""

from collections.abc import Callable

import pytest

from pipeline.features.spec import FeatureSpec
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack, ExcludedTrack, Partition, Split
from pipeline.learning.study.results import ClassScores, EvaluationReport, ModelVersion, Prediction, Scores
from pipeline.learning.study.trials import FitReport, TrialOutcome, TrialSpec
from pipeline.library.tracks import Failure, FileStamp, TrackRecord
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.run import RunPlan
from pipeline.report import ReportContent, RunCounts, gather_facts

LIBRARY = "/music/demo"
CLASSES = ("chords", "drum loops", "noise", "tones")
CONFUSION = ((2, 0, 0, 1), (0, 3, 0, 0), (0, 0, 3, 0), (2, 0, 0, 1))
PER_CLASS = 12


def scores(confusion: tuple[tuple[int, ...], ...], classes: tuple[str, ...] = CLASSES) -> Scores:
    """Return the scores that belong to a confusion matrix."""
    per_class = {}
    for place, label in enumerate(classes):
        hits, true = confusion[place][place], sum(confusion[place])
        given = sum(row[place] for row in confusion)
        precision, recall = hits / given if given else 0.0, hits / true if true else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        per_class[label] = ClassScores(precision=precision, recall=recall, f1=f1, n=true)
    n = sum(map(sum, confusion))
    return Scores(
        accuracy=sum(confusion[i][i] for i in range(len(classes))) / n,
        macro_f1=sum(s.f1 for s in per_class.values()) / len(classes),
        n=n,
        per_class=per_class,
        confusion=confusion,
    )


def failure(kind="unreadable", reason="no 'data' chunk", attempts=1) -> Failure:
    return Failure(kind=kind, reason=reason, attempts=attempts)


def track_record(path: str, **changes) -> TrackRecord:
    """Return the record of a readable file, or with changes."""
    known = {
        "track_id": "0" * 32,
        "path": path,
        "stamp": FileStamp(size_bytes=1, mtime_ns=1),
        "sequence": 1,
        "content_hash": "c" * 32,
        "duration_s": 6.0,
        "sample_rate_hz": 44_100,
        "channels": 2,
    }
    return TrackRecord(**(known | changes))


@pytest.fixture
def plan() -> RunPlan:
    recipe = Recipe(
        name="default",
        title="Timbre statistics, small nets and classic models",
        features=("log-mel",),
        models=(
            ModelChoice(family="dense", features="timbre"),
            ModelChoice(family="svm", features="timbre", fixed={"kernel": "rbf"}),
        ),
    )
    return RunPlan(
        run_id="20250301-101500-a1b2c3",
        command=("chordal", "run", LIBRARY, "--seed", "7"),
        libraries=(LIBRARY,),
        recipe=recipe,
        labels="folder",
        groups=None,
        folds=None,
        seed=7,
        sequence=3,
        created="2025-03-01T10:15:00Z",
    )


@pytest.fixture
def extraction(plan) -> ReportContent:
    """A run that only extracted: 48 readable files, one broken, one too short for one family."""
    extensions = ("wav", "flac", "ogg", "mp3")
    records = [
        track_record(
            f"{LIBRARY}/{label}/{label}-{index:02d}.{extensions[index % 4]}",
            sample_rate_hz=(44_100, 48_000, 22_050)[index % 3],
            channels=1 + index % 2,
        )
        for label in CLASSES
        for index in range(PER_CLASS)
    ]
    records[5] = records[5].replace(family_failures={"mfcc-0123456789ab": failure("too_short", "2.1 s, 3 s needed")})
    records.append(track_record(f"{LIBRARY}/tones/broken.wav", failure=failure(attempts=2)))
    return ReportContent(
        plan=plan.replace(learn=False),
        counts=RunCounts(scanned=49, extracted=30, unchanged=18, failed=1),
        facts=gather_facts(records),
        class_balance=dict.fromkeys(CLASSES, PER_CLASS) | {"tones": PER_CLASS + 1},
        specs=(
            FeatureSpec(
                name="timbre",
                version=1,
                title="Mean and deviation of 40 MFCCs and their deltas",
                columns=tuple(f"c{i}" for i in range(160)),
                units=("1",) * 160,
                row_shape=(160,),
                parameters={"n_mfcc": 40, "hop": 512},
            ),
        ),
        seconds={"scan": 0.04, "extract": 12.5, "trials": 61.0, "report": 1.2},
        versions={"python": "3.11.9", "numpy": "2.2.0"},
        host={"system": "Linux", "cores": "2"},
        created="2025-03-01T10:17:00Z",
    )


@pytest.fixture
def manifest(plan) -> DatasetManifest:
    tracks = tuple(
        DatasetTrack(
            track_id=f"{place}-{index}",
            content_hash=f"hash-{place}-{index}",
            path=f"{LIBRARY}/{label}/{label}-{index:02d}.wav",
            label=label,
        )
        for place, label in enumerate(CLASSES)
        for index in range(PER_CLASS)
    )
    return DatasetManifest(
        run_id=plan.run_id,
        families={"timbre": "timbre-0123456789ab"},
        classes=CLASSES,
        tracks=tracks,
        excluded=(ExcludedTrack(path=f"{LIBRARY}/tones/broken.wav", reason="unreadable: no 'data' chunk"),),
    )


@pytest.fixture
def partition() -> Partition:
    places = range(len(CLASSES) * PER_CLASS)
    return Partition(
        name="holdout",
        train=tuple(p for p in places if p % PER_CLASS > 4),
        validation=tuple(p for p in places if p % PER_CLASS in (3, 4)),
        test=tuple(p for p in places if p % PER_CLASS < 3),
    )


@pytest.fixture
def make_outcome(plan) -> Callable[..., TrialOutcome]:
    """A function that makes the outcome of a completed trial with made-up curves."""

    def make(index: int, accuracy: float, *, family: str = "dense", epochs: int = 25, fits: int = 1) -> TrialOutcome:
        learning = [1 - 0.75 * 0.86**epoch for epoch in range(epochs)]
        curves = {
            "accuracy": tuple(learning),
            "val_accuracy": tuple(accuracy * share for share in learning),
            "loss": tuple(1.6 * 0.88**epoch for epoch in range(epochs)),
            "val_loss": tuple(1.5 * 0.91**epoch + 0.004 * epoch for epoch in range(epochs)),
        }
        return TrialOutcome(
            spec=TrialSpec(
                run_id=plan.run_id,
                index=index,
                family=family,
                features="timbre",
                hyperparameters={"layers": 2, "units": 64, "learning_rate": 0.001, "scaled": True},
                seed=index,
            ),
            state="completed",
            objective=accuracy,
            fits=tuple(
                FitReport(
                    partition=f"fold {fit + 1}" if fits > 1 else "holdout",
                    validation_accuracy=accuracy + 0.02 * (fit - (fits - 1) / 2),
                    epochs=epochs,
                    seconds=2.5,
                    parameters=14_596,
                    curves=curves if family == "dense" else {},
                )
                for fit in range(fits)
            ),
            seconds=2.5 * fits,
            host="here",
        )

    return make


@pytest.fixture
def outcomes(make_outcome) -> tuple[TrialOutcome, ...]:
    failed = make_outcome(4, 0.0).replace(state="failed", reason="ResourceExhausted: no memory", fits=())
    return (
        make_outcome(0, 0.625),
        make_outcome(1, 0.875),
        make_outcome(2, 0.75, family="svm"),
        make_outcome(3, 0.5, family="svm"),
        failed,
    )


@pytest.fixture
def evaluation(plan, outcomes, manifest, partition) -> EvaluationReport:
    predictions = []
    given = iter([0, 0, 3, 1, 1, 1, 2, 2, 2, 0, 0, 3])
    for order, position in enumerate(partition.test):
        track, label = manifest.tracks[position], next(given)
        sure = 0.55 + 0.03 * order
        chances = [(1 - sure) / 3] * 4
        chances[label] = sure
        predictions.append(
            Prediction(
                track_id=track.track_id,
                path=track.path,
                label=CLASSES[label],
                truth=track.label,
                partition="holdout",
                probabilities=tuple(chances),
            )
        )
    return EvaluationReport(
        run_id=plan.run_id,
        classes=CLASSES,
        validation=scores(((2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 2, 0), (1, 0, 0, 1))),
        test=scores(CONFUSION),
        per_partition={"holdout": scores(CONFUSION)},
        chosen={"holdout": (1,)},
        predictions=tuple(predictions),
        seconds=4.0,
        model=ModelVersion(
            version="v0003",
            run_id=plan.run_id,
            recipe="default",
            family="dense",
            features=("timbre-0123456789ab",),
            classes=CLASSES,
            members=(outcomes[1].spec,),
            dataset_digest=manifest.digest,
            created="2025-03-01T10:16:55Z",
            test_accuracy=0.75,
            seed=7,
        ),
    )


@pytest.fixture
def learned(extraction, plan, manifest, partition, outcomes, evaluation) -> ReportContent:
    """A whole run on one holdout partition."""
    unrun = outcomes[0].spec.replace(index=5)
    return extraction.replace(
        plan=plan,
        manifest=manifest,
        split=Split(
            strategy="grouped", seed=7, groups=48, partitions=(partition,), notes=("2 duplicates kept together",)
        ),
        trials=(*(outcome.spec for outcome in outcomes), unrun),
        outcomes=outcomes,
        evaluation=evaluation,
    )


@pytest.fixture
def scores_of() -> Callable[..., Scores]:
    """The function that turns a confusion matrix into scores."""
    return scores


@pytest.fixture
def record_of() -> Callable[..., TrackRecord]:
    """The function that makes the record of a file."""
    return track_record


@pytest.fixture
def failure_of() -> Callable[..., Failure]:
    """The function that makes a failure."""
    return failure
