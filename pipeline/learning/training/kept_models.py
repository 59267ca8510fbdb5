"""The models of trials, kept where what is chosen is not fitted again: no fit is made twice.

`<folder>/trial-0003/partition-0` holds the model of a trial's first execution on the first partition. Models of trials
that are beaten in every test are deleted; a model that is not there is fitted again, from the same seed.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from pipeline.learning.models import Fit
from pipeline.learning.models.classifier import load_member
from pipeline.learning.study.trials import FitReport

FOLDER = "kept-models"
"""The folder of a run that holds them."""


def keep_model(folder: Path, trial: int, partition: int, fit: Fit) -> None:
    """Write the model of a fit; it is there whole or not at all. One of an earlier attempt is replaced."""
    place = _place(folder, trial, partition)
    unfinished = place.with_name(f"{place.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    fit.model.save(unfinished)
    shutil.rmtree(place, ignore_errors=True)
    unfinished.replace(place)


def kept_fit(folder: Path | None, trial: int, partition: int, report: FitReport) -> Fit | None:
    """Return the fit of a trial as it was kept, with what its report tells; None where no model was kept."""
    if folder is None or not (place := _place(folder, trial, partition)).is_dir():
        return None
    return Fit(
        model=load_member(place),
        epochs=report.epochs,
        parameters=report.parameters,
        curves=report.curves,
        saved=place,
    )


def delete_beaten(folder: Path, trials: Iterable[int]) -> None:
    """Delete the models of some trials; those that are gone are passed over."""
    for trial in trials:
        shutil.rmtree(_of_trial(folder, trial), ignore_errors=True)


def _of_trial(folder: Path, trial: int) -> Path:
    return folder / f"trial-{trial:04d}"


def _place(folder: Path, trial: int, partition: int) -> Path:
    return _of_trial(folder, trial) / f"partition-{partition}"
