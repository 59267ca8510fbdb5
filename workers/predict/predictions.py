"""Using a model: from files and libraries to labels, probabilities and timelines.

    from workers.predict import predict

    for each in predict("chordal-home", ["song.mp3", "library"]):
        print(each.path, each.label, each.probability, each.unsure)

What the store lacks is extracted first, by the same tasks and workers as any run's, before those of other runs; what it
has is read. A file without features has a prediction too, with the reason. Nothing is learned from these files, and no
library counts them as its own.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.learning.models import load_model
from pipeline.learning.models.classifier import Classifier
from pipeline.learning.models.compatibility import check_fits, family_names
from pipeline.learning.study.results import ModelVersion
from pipeline.learning.training.held_out import TrainingExposure
from pipeline.learning.training.prediction import TrackPrediction
from pipeline.library.folders.left_out import NOTHING, LeftOut, describe_left_out, describe_unreadable
from pipeline.library.tracks import ScannedTrack
from pipeline.plans.chunks import check_length
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.scan_rules import ScanRules
from pipeline.text import printable
from storage.home import Home, home_lock, prepare_home
from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.extraction.settled import is_settled
from workers.learning import promotion
from workers.predict.reader import read_predictions
from workers.predict.request import PredictionRequest, RequestedFiles, fold_as_learned
from workers.processes.environment import prepare_process, set_tensorflow_environment
from workers.runs import execute
from workers.runs.progress import View
from workers.runs.request import RunRequest, ScannedRun, plan_run
from workers.runs.scan import write_tracks
from workers.service import state

log = logging.getLogger(__name__)

KEPT_RUNS = 10
"""Runs of predictions whose records are kept; older ones are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Predictions, each made when it is iterated to, in the order in which the files are found."""

    model: ModelVersion
    classes: tuple[str, ...]
    extracted: int
    """Files that had to be extracted for it."""
    unreadable: tuple[str, ...] = ()
    """Folders and files that could not be read, with the reason."""
    left_out: LeftOut = NOTHING
    """What of the folders was left out by its name, its content or a pattern."""
    each: Iterator[TrackPrediction] = field(repr=False)
    notes: tuple[str, ...] = ()
    """What is odd in the table of the true labels, a line each."""

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
    exclude: Sequence[str] = (),
    include_hidden: bool = False,
) -> Predictions:
    """Return the predictions of a home's champion, or of another `model` by version, for files and folders.

    Iterate over them once: they are made on the way, in bounded memory. `top` bounds how many of the most probable
    classes each has, `chunk_s` (seconds) cuts long recordings into chunks first, `labels` (as for `chordal run`)
    compares with the truth; `exclude` has patterns of what to leave out, as `.chordalignore` files have, and
    `include_hidden` takes in what begins with a dot.
    Missing features are extracted before it returns, by the home's service, the workers of `broker`, or `workers`
    processes of its own. Raises `UsageError` with the mend for a home, model or path that is not there, and for a
    model whose features are not the ones computed here.
    """
    request = PredictionRequest(
        paths=tuple(os.path.abspath(os.fspath(path)) for path in paths),  # noqa: PTH100 - keeps odd bytes
        model=model,
        top=top,
        chunk_s=chunk_s,
        labels=labels,
        broker=BrokerAddress.parse(broker) if broker else None,
        workers=workers,
        rules=ScanRules(exclude=tuple(exclude), include_hidden=include_hidden),
    )
    return predictions_for(Home(Path(home).expanduser().absolute()), request, View(quiet=True, on_warning=log.warning))


def predictions_for(home: Home, request: PredictionRequest, view: View) -> Predictions:
    """Extract what is missing and return the predictions; raises as `predict` does."""
    prepare_process(home.path)
    version = pick_model(home, request.model)
    if request.chunk_s is not None:
        check_length(request.chunk_s)
    if request.top is not None and request.top < 1:
        raise UsageError(f"top {request.top}: give a whole number from 1 up")
    files = RequestedFiles(fold_as_learned(request, home.ledger, version.run_id))
    for note in files.notes:
        view.line(note)
    classifier = load_classifier(home, version)
    extracted = _extract_missing(home, request, version, files, view)
    for line in (*describe_unreadable(files.unreadable), *describe_left_out(files.left_out)):
        view.line(line)
    exposure = _exposure(home, version)
    each = read_predictions(files.each(), request, classifier, exposure, home.store.snapshot())
    return Predictions(
        model=version,
        classes=classifier.classes,
        extracted=extracted,
        unreadable=files.unreadable,
        left_out=files.left_out,
        each=each,
        notes=files.notes,
    )


def pick_model(home: Home, version: str | None) -> ModelVersion:
    """Return a registered model that can be used here: the version given, else the champion.

    Raises `UsageError` when there is none, naming both fingerprints when its features are not the ones computed here.
    """
    if version is None:
        champion = home.champions.current()
        if champion is None:
            known = home.registry.versions()
            where = f"home {printable(str(home.path))}"
            if not known:
                raise UsageError(f"{where}: no model yet; `chordal run LIBRARY` makes one, --home names another")
            raise UsageError(
                f"{where}: none of its {len(known)} models is the champion; "
                f"`chordal models promote {known[-1].version}` makes the newest it, --model names one for now"
            )
        version = champion.version
    model = home.registry.get(version)
    check_fits(version, model.features)
    return model


def load_classifier(home: Home, version: ModelVersion) -> Classifier:
    """Return a model ready for use. Raises `UsageError` when a file of it is gone or is not what was registered."""
    set_tensorflow_environment()  # before anything imports it
    home.registry.check(version)
    return load_model(Path(version.path))


def _exposure(home: Home, version: ModelVersion) -> TrainingExposure:
    try:
        contender = promotion.contender(home, version.version)
    except UsageError:
        return TrainingExposure()
    return TrainingExposure.of(contender.manifest, contender.split)


def _extract_missing(
    home: Home, request: PredictionRequest, version: ModelVersion, files: RequestedFiles, view: View
) -> int:
    """Extract what the store lacks of some files, as one run, and return how many; none is begun when that is none."""
    missing = _missing(home, request, version, files)
    first = next(missing, None)
    if first is None:
        return 0
    broker = request.broker
    service = state.find(home.path) if broker is None else None
    if service is not None:
        broker = service.broker
    if broker is not None:
        health.require_for_run(broker)
    prepare_home(str(home.path))
    with home_lock(home.path, shared=broker is not None, purpose="predicting"):
        _forget_old_runs(home)
        run = RunRequest(
            command=request.command,
            libraries=files.folders,
            recipe=_recipe(version),
            learn=False,
            workers=request.workers if service is None else None,
            broker=broker,
            max_duration_s=request.max_duration_s,
            priority="high",
            purpose="predict",
            chunk_s=request.chunk_s,
        )
        plan = plan_run(run, home.ledger)
        summary = write_tracks(home, plan, chain([first], missing), complete=False)
        execute.follow(home, ScannedRun(plan=plan, found=summary), view, broker=broker, workers=run.workers)
    return summary.files


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
    home: Home, request: PredictionRequest, version: ModelVersion, files: RequestedFiles
) -> Iterator[ScannedTrack]:
    """Yield the files of which something is not stored yet; without labels, as nobody learns from them."""
    snapshot = home.store.snapshot()
    keys = frozenset(version.features)
    for track in files.each():
        if not is_settled(track, snapshot, keys, None, request.chunk_s):
            yield track.replace(label=None)


def _forget_old_runs(home: Home) -> None:
    """Forget all but the newest runs of predictions: none is ever continued, and there may be thousands."""
    for run_id in home.ledger.run_ids("predict")[:-KEPT_RUNS]:
        home.ledger.remove(run_id)
