"""The measurements for a recipe's outputs: once, after the study has ended and its model is delivered."""

from pathlib import Path

from pipeline.learning.dataset.load import label_indices
from pipeline.learning.models.base import Fit, TrainedModel
from pipeline.learning.models.networks import load_network
from pipeline.learning.study.measurements import Measurements, SideScores
from pipeline.learning.study.trials import TrialOutcome
from pipeline.learning.training.fit import fit_on
from pipeline.plans.recipe import OutputName
from pipeline.report.outputs import new_sounds
from pipeline.report.outputs.side_scores import penalty_of, side_scores
from pipeline.report.outputs.study import Study

SOFTMAX_ROWS = 100
_ANOTHER_SEED = 1_000_003
"""Added to the seed of a trial whose weights are drawn anew."""


def measure(study: Study) -> Measurements:
    """Return the numbers that the recipe's outputs need; models trained for them are saved in the study's folder.

    The test tracks are read once more, after every choice was made: nothing is chosen by what is measured here.
    """
    measurements = Measurements(run_id=study.manifest.run_id)
    outputs: frozenset[OutputName] = frozenset(study.recipe.outputs)
    if "sides" in outputs:
        measurements = measurements.replace(sides=_sides(study, study.trained))
    if "untrained" in outputs and study.outcome.spec.hyperparameters.get("epochs"):
        measurements = measurements.replace(untrained=_sides(study, _untrained(study)))
    if "retrained" in outputs:
        measurements = measurements.replace(retrained=_sides(study, _retrained(study)))
    if "regions" in outputs:
        measurements = measurements.replace(
            rivals={name: _sides(study, _rival(study, name, rival)) for name, rival in rivals(study).items()}
        )
    if "softmax" in outputs and "test" in study.sides:
        measurements = _with_softmax(study, measurements)
    if "new_sounds" in outputs:
        measurements = measurements.replace(new_sounds=new_sounds.predict_new_sounds(study))
    return measurements


def rivals(study: Study) -> dict[str, TrialOutcome]:
    """Return the best trial of each activation that the delivered network does not have, by activation."""
    best: dict[str, TrialOutcome] = {}
    for outcome in sorted(study.outcomes, key=lambda outcome: (-outcome.objective, outcome.spec.index)):
        activation = str(outcome.spec.hyperparameters.get("activation", ""))
        if outcome.state == "completed" and activation not in {"", study.spec.hyperparameters.get("activation")}:
            best.setdefault(activation, outcome)
    return best


def rival_folder(study: Study, activation: str) -> Path:
    """Return the folder of the network of another activation."""
    return study.folder / f"rival-{activation}"


def _sides(study: Study, model: TrainedModel) -> dict[str, SideScores]:
    """Return the scores of a model on the rows of each side."""
    labels = label_indices(study.manifest)
    penalty = penalty_of(model)
    scores = {}
    for side, tracks in study.sides.items():
        rows = study.rows.select(tracks)
        if len(rows.x):
            truth = labels[rows.owner]
            scores[side] = side_scores(model.probabilities(rows.x), truth, study.manifest.classes, penalty=penalty)
    return scores


def _untrained(study: Study) -> TrainedModel:
    """Return the delivered network with the weights it was drawn with."""
    return fit_on(study.spec, study.manifest, study.rows, study.learned, None, epochs=0).model


def _retrained(study: Study) -> TrainedModel:
    """Return the winner, its weights drawn anew and trained again as in its trial, saved and loaded.

    Built from its hyper-parameters with another seed, which is the same as drawing all weights of the loaded model
    anew.
    """
    spec = study.spec.replace(seed=study.spec.seed + _ANOTHER_SEED)
    if study.validation:
        fit = fit_on(spec, study.manifest, study.rows, study.learned, study.validation)
    else:
        epochs = max(round(sum(fit.epochs for fit in study.outcome.fits) / len(study.outcome.fits)), 1)
        fit = fit_on(spec, study.manifest, study.rows, study.learned, None, epochs=epochs)
    return _saved(fit, study.folder / "retrained")


def _rival(study: Study, activation: str, outcome: TrialOutcome) -> TrainedModel:
    """Return the network of another activation, learned from what the delivered one learned from."""
    fit = fit_on(outcome.spec, study.manifest, study.rows, study.learned, None)
    return _saved(fit, rival_folder(study, activation))


def _saved(fit: Fit, folder: Path) -> TrainedModel:
    """Save a network and return the one that its file has."""
    folder.mkdir(parents=True, exist_ok=True)
    fit.model.save(folder)
    return load_network(folder)


def _with_softmax(study: Study, measurements: Measurements) -> Measurements:
    """Return the measurements with the probabilities of some rows of the test, and their true classes."""
    rows = study.rows.select(study.sample(SOFTMAX_ROWS, "test"))
    step = max(len(rows.x) // SOFTMAX_ROWS, 1)
    x, owner = rows.x[::step][:SOFTMAX_ROWS], rows.owner[::step][:SOFTMAX_ROWS]
    probabilities = study.trained.probabilities(x)
    return measurements.replace(
        softmax=tuple(tuple(float(value) for value in row) for row in probabilities),
        softmax_truth=tuple(int(label) for label in label_indices(study.manifest)[owner]),
    )
