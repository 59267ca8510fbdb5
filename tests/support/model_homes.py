"""Homes with registered models that were not trained: their datasets, splits and predictions are constructed."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.features.registry import family
from pipeline.features.spec import FeatureRows
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack, Partition, Split
from pipeline.learning.evaluation import score
from pipeline.learning.models import LabelledRows, model_family
from pipeline.learning.models.classifier import ClassifierCard, Member, save_classifier
from pipeline.learning.study.results import EvaluationReport, ModelVersion, Prediction, SplitFacts
from pipeline.learning.study.trials import TrialSpec
from pipeline.library.tracks import FileStamp, TrackRecord, track_id
from pipeline.plans.gate import GatePlan
from pipeline.plans.recipe import load_recipe
from pipeline.plans.run import RunPlan
from storage import FileFeatureStore
from storage.filestore.bulk_load import bulk_load
from storage.filestore.store_mark import open_layout
from storage.home import Home

CLASSES = ("high", "low")
SPEC = family("mfcc_mean").spec


class Song(NamedTuple):
    """A track, and the class that its features sound like, which any of these models predicts."""

    number: int
    truth: str
    sounds_like: str
    group: str | None = None

    @property
    def path(self) -> str:
        return f"/music/{self.truth}/{self.number:04d}.wav"

    @property
    def content(self) -> str:
        return f"{self.number + 1:032x}"  # zeros mean no content

    @property
    def track(self) -> DatasetTrack:
        return DatasetTrack(
            track_id=track_id(self.path), content_hash=self.content, path=self.path, label=self.truth, group=self.group
        )


def songs(count: int, *, first: int = 0, misleading: int = 0, group=lambda number: None) -> list[Song]:
    """Return songs of two classes; the last `misleading` of them sound like the other class."""
    result = []
    for at in range(count):
        number = first + at
        truth = CLASSES[number % 2]
        sound = truth if at < count - misleading else CLASSES[1 - number % 2]
        result.append(Song(number, truth, sound, group(number)))
    return result


def rows_of(song: Song, key: int = 0) -> FeatureRows:
    values = np.random.default_rng(song.number + key).normal(0, 0.1, (1, *SPEC.row_shape)).astype(np.float32)
    values += 5 if song.sounds_like == CLASSES[0] else -5
    return FeatureRows(values=values, start_s=np.zeros(1, np.float32), channel=np.full(1, -1, np.int8))


def store(home_path: Path, tracks: Sequence[Song]) -> None:
    """Put the features of songs into a home's store."""
    FileFeatureStore.open(home_path / "store")
    stamp = FileStamp(size_bytes=1, mtime_ns=1)
    records = (
        TrackRecord(
            track_id=song.track.track_id, path=song.path, stamp=stamp, sequence=1, content_hash=song.content,
            duration_s=3.0, sample_rate_hz=22_050, channels=1,
        )
        for song in tracks
    )  # fmt: skip
    bulk_load(open_layout(home_path / "store"), SPEC, zip(records, map(rows_of, tracks), strict=True))


def partitions(train: Sequence[Song], test: Sequence[Song], folds: int) -> tuple[list[Song], tuple[Partition, ...]]:
    """Return the tracks of a study and their partitions: a held-out test, or folds of all of them."""
    every = [*train, *test]
    if not folds:
        learned = tuple(range(len(train)))
        tested = tuple(range(len(train), len(every)))
        return every, (Partition(name="holdout", train=learned[1:], validation=learned[:1], test=tested),)
    parts = []
    for number in range(folds):
        tested = tuple(at for at in range(len(every)) if at % folds == number)
        rest = tuple(at for at in range(len(every)) if at % folds != number)
        parts.append(Partition(name=str(number), train=rest[1:], validation=rest[:1], test=tested))
    return every, tuple(parts)


def learn(
    home_path: Path,
    run_id: str,
    train: Sequence[Song],
    test: Sequence[Song],
    *,
    wrong: Sequence[int] = (),
    folds: int = 0,
    classes: tuple[str, ...] = CLASSES,
    features: str = SPEC.key,
    gate: GatePlan | None = None,
) -> ModelVersion:
    """Write a finished run and register its model, whose predictions of its test songs are right but for `wrong`.

    The model itself predicts what a song sounds like.
    """
    home = Home(home_path)
    recipe = load_recipe("quick")
    number = int(run_id.removeprefix("r"))
    plan = RunPlan(
        run_id=run_id, command=("chordal", "run", "/music"), libraries=("/music",),
        recipe=recipe.replace(gate=gate or GatePlan()), labels="folder", groups=None, folds=None, seed=1,
        sequence=number, created=f"2026-01-{number:02d}T00:00:00+00:00",
    )  # fmt: skip
    home.ledger.create(plan)
    every, parts = partitions(train, test, folds)
    manifest = DatasetManifest(
        run_id=run_id, families={"mfcc_mean": SPEC.key}, classes=classes, tracks=tuple(song.track for song in every)
    )
    split = Split(strategy="folds" if folds else "grouped", seed=1, groups=len(every), partitions=parts)
    chosen = {"c": 1.0}
    spec = TrialSpec(run_id=run_id, index=0, family="logistic", features="mfcc_mean", hyperparameters=chosen, seed=1)
    predictions = []
    for part in parts:
        for at in part.test:
            song = every[at]
            answer = song.truth if song.number not in wrong else CLASSES[1 - CLASSES.index(song.truth)]
            chances = tuple(0.9 if name == answer else 0.1 for name in classes)
            predictions.append(
                Prediction(
                    track_id=song.track.track_id, path=song.path, label=answer, truth=song.truth, partition=part.name,
                    probabilities=chances,
                )
            )  # fmt: skip
    known = {name: at for at, name in enumerate(dict.fromkeys((*CLASSES, *classes)))}
    truth, answer = (np.array([known[getattr(each, name)] for each in predictions]) for name in ("truth", "label"))
    scores = score(truth, answer, classes)
    folder = home_path / f"made-{run_id}" / "member-0"
    folder.mkdir(parents=True)
    x = np.concatenate([rows_of(song).values for song in songs(20, first=9_000)])
    y = np.array([CLASSES.index(song.sounds_like) for song in songs(20, first=9_000)])
    fit = model_family("logistic").fit(
        LabelledRows(x=x, y=y), None, classes=len(classes), hyperparameters=spec.hyperparameters, seed=1
    )
    fit.model.save(folder)
    card = ClassifierCard(
        classes=classes, prior=(1 / len(classes),) * len(classes),
        members=(Member(folder="member-0", features=features, trial=spec),),
    )  # fmt: skip
    save_classifier(card, folder.parent)
    report = EvaluationReport(
        run_id=run_id, classes=classes, validation=scores, test=scores,
        per_partition={part.name: scores for part in parts}, chosen={part.name: (0,) for part in parts},
        predictions=tuple(predictions), seconds=1.0,
        model=ModelVersion(
            version="", run_id=run_id, recipe="quick", family="logistic", features=(features,), classes=classes,
            members=(spec,), dataset_digest=manifest.digest, created=plan.created, seed=1,
            test_accuracy=scores.accuracy,
            metrics={"test_accuracy": scores.accuracy, "test_tracks": float(scores.n)}, split=SplitFacts.of(split),
            versions={"chordal": "0.1.0"},
        ),
    )  # fmt: skip
    home.ledger.put_manifest(manifest)
    home.ledger.put_split(run_id, split)
    run_folder = home.ledger.path(run_id)
    model = home.registry.register(
        report.model,
        folder.parent,
        documents={
            **{name: run_folder / f"{name}.json" for name in ("plan", "dataset", "split")},
            "evaluation": report,
        },
    )
    home.ledger.put_report(report.replace(model=model))
    return model
