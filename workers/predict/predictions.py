"""Using a model: from files and libraries to labels, probabilities and timelines.

    from workers.predict import predict

    for each in predict("chordal-home", ["song.mp3", "library"]):
        print(each.path, each.label, each.probability, each.unsure)

What the store lacks is extracted first, by the same tasks and workers as any run's, before those of other runs; what it
has is read. A file that has no features is an answer too: who, and why. Nothing is learned from these files, and they
say nothing about any library.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.learning.models.compatibility import check_fits, family_names
from pipeline.learning.study.results import ModelVersion
from pipeline.learning.training.held_out import TrainingExposure
from pipeline.learning.training.prediction import TrackPrediction
from pipeline.library.tracks import ScannedTrack
from pipeline.plans.chunks import check_length
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.text import printable
from storage.home import Home, only_one, prepare_home
from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.extraction import settled
from workers.learning import promotion
from workers.predict.reader import predictions
from workers.predict.request import PredictionRequest, RequestedFiles
from workers.processes.environment import set_tensorflow_environment
from workers.runs import execute, request, scan
from workers.runs.progress import View
from workers.service import state

if TYPE_CHECKING:
    from pipeline.learning.models.classifier import Classifier

REMEMBERED = 10
"""Runs of predictions whose records are kept; older ones are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Predictions that are made as they are asked for, in the order of the walk."""

    model: ModelVersion
    classes: tuple[str, ...]
    extracted: int
    """Files that had to be extracted for it."""
    each: Iterator[TrackPrediction] = field(repr=False)

    def __iter__(self) -> Iterator[TrackPrediction]:
        return self.each


def predict(
    home: str | os.PathLike[str],
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: str | None = None,
    top: int | None = None,
    chunk_s: float | None = None,
    labels: str | None = None,
    workers: int | None = None,
    broker: str | None = None,
) -> Predictions:
    """Return what a home's champion, or another `model` by version, says of files and folders.

    Iterate over it once: predictions are made on the way, in bounded memory. `top` tells only the most probable
    classes, `chunk_s` cuts long recordings into chunks first, `labels` (as for `chordal run`) compares with the truth.
    Missing features are extracted before it returns, by the home's service, the workers of `broker`, or `workers`
    processes of its own. Raises `UsageError` with the mend for a home, model or path that is not there, and for a
    model whose features are not the ones computed here.
    """
    asked = PredictionRequest(
        paths=tuple(os.path.abspath(os.fspath(path)) for path in paths),  # noqa: PTH100 - keeps odd bytes
        model=model,
        top=top,
        chunk_s=chunk_s,
        labels=labels,
        broker=BrokerAddress.parse(broker) if broker else None,
        workers=workers,
    )
    return carry_out(Home(Path(home).expanduser().absolute()), asked, View(quiet=True))


def carry_out(home: Home, asked: PredictionRequest, view: View) -> Predictions:
    """Extract what is missing and return the predictions; raises as `predict` does."""
    version = pick_model(home, asked.model)
    if asked.chunk_s is not None:
        check_length(asked.chunk_s)
    if asked.top is not None and asked.top < 1:
        raise UsageError(f"top {asked.top}: give a whole number from 1 up")
    files = RequestedFiles(asked)
    classifier = load(home, version)
    extracted = _extract_missing(home, asked, version, files, view)
    learned = _learned(home, version)
    each = predictions(files.each(), asked, classifier, learned, home.store.snapshot())
    return Predictions(model=version, classes=classifier.classes, extracted=extracted, each=each)


def pick_model(home: Home, version: str | None) -> ModelVersion:
    """Return a registered model that can be used here: the one asked for, else the champion.

    Raises `UsageError` when there is none, naming both fingerprints when its features are not the ones computed here.
    """
    if version is None:
        champion = home.champions.current()
        if champion is None:
            known = home.registry.versions()
            shown = printable(str(home.path))
            if not known:
                raise UsageError(f"home {shown}: no model yet; `chordal run LIBRARY` makes one, --home names another")
            raise UsageError(
                f"home {shown}: none of its {len(known)} models is the champion; "
                f"`chordal models promote {known[-1].version}` makes the newest it, --model names one for now"
            )
        version = champion.version
    model = home.registry.get(version)
    check_fits(version, model.features)
    return model


def load(home: Home, version: ModelVersion) -> "Classifier":
    """Return a model ready for use. Raises `UsageError` when a file of it is gone or is not what was registered."""
    from pipeline.learning.models import load_model

    set_tensorflow_environment()  # before anything imports it
    home.registry.check(version)
    return load_model(Path(version.path))


def _learned(home: Home, version: ModelVersion) -> TrainingExposure:
    try:
        known = promotion.contender(home, version.version)
    except UsageError:
        return TrainingExposure()
    return TrainingExposure.of(known.manifest, known.split)


def _extract_missing(
    home: Home, asked: PredictionRequest, version: ModelVersion, files: RequestedFiles, view: View
) -> int:
    """Extract what the store lacks of some files, as one run; return how many files. Nothing is begun without need."""
    missing = _missing(home, asked, version, files, view)
    first = next(missing, None)
    if first is None:
        return 0
    broker = asked.broker
    served = state.find(home.path) if broker is None else None
    if served is not None:
        broker = served.broker
    if broker is not None:
        health.require_for_run(broker)
    prepare_home(str(home.path))
    with only_one(home.path, shared=broker is not None, doing="predicting"):
        _forget_old(home)
        wanted = request.RunRequest(
            command=asked.command,
            libraries=files.folders,
            recipe=_recipe(version),
            learn=False,
            workers=asked.workers if served is None else None,
            broker=broker,
            max_duration_s=asked.max_duration_s,
            priority="high",
            purpose="predict",
            chunk_s=asked.chunk_s,
        )
        plan = request.plan_run(wanted, home.ledger)
        found = scan.write_tracks(home, plan, chain([first], missing), complete=False)
        finished = request.ScannedRun(plan=plan, found=found)
        execute.follow(home, finished, view, broker=broker, workers=wanted.workers)
    return found.files


def _recipe(version: ModelVersion) -> Recipe:
    """Return a recipe that extracts what a model reads."""
    names = family_names(version.features)
    return Recipe(
        name="predict",
        title=f"What model {version.version} reads",
        models=tuple(ModelChoice(family=member.family, features=member.features) for member in version.members),
        features=names,
    )


def _missing(
    home: Home, asked: PredictionRequest, version: ModelVersion, files: RequestedFiles, view: View
) -> Iterator[ScannedTrack]:
    """Yield the files of which something is not stored yet; without labels, as nobody learns from them."""
    snapshot = home.store.snapshot()
    keys = frozenset(version.features)
    for track in files.each(view):
        if not settled.is_settled(track, snapshot, keys, None, asked.chunk_s):
            yield track.replace(label=None)


def _forget_old(home: Home) -> None:
    """Forget all but the newest runs of predictions: nobody takes them up again, and there may be thousands."""
    for run_id in home.ledger.run_ids("predict")[:-REMEMBERED]:
        home.ledger.forget(run_id)
