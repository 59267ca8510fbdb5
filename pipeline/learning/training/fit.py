"""One fit of one configuration on some tracks, and its predictions of others."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.arrays import Float64
from pipeline.learning.dataset.load import Rows, label_indices
from pipeline.learning.dataset.manifests import DatasetManifest
from pipeline.learning.evaluation.votes import Votes
from pipeline.learning.models import Fit, LabelledRows, model_family
from pipeline.learning.models.classifier import mean_by_track
from pipeline.learning.study.trials import TrialSpec
from pipeline.learning.training.row_augmentation import augment_rows
from pipeline.plans.recipe import Balance


def fit_on(
    spec: TrialSpec,
    manifest: DatasetManifest,
    rows: Rows,
    train: Sequence[int],
    validation: Sequence[int] | None,
    *,
    epochs: int | None = None,
) -> Fit:
    """Fit one configuration on the rows of some tracks and of their augmented copies; only originals validate."""
    labelled = _labelled(manifest, rows.select(train, copies=True))
    train_rows = balance_classes(labelled, spec.balance, classes=len(manifest.classes), seed=spec.seed)
    train_rows = replace(train_rows, has_true_priors=spec.priors == "true")
    return model_family(spec.family).fit(
        augment_rows(train_rows, spec.augment, seed=spec.seed),
        None if validation is None else _labelled(manifest, rows.select(validation)),
        classes=len(manifest.classes),
        hyperparameters=spec.hyperparameters,
        seed=spec.seed,
        epochs=epochs,
    )


def balance_classes(train: LabelledRows, balance: Balance, *, classes: int, seed: int) -> LabelledRows:
    """Return training rows with classes of different size balanced: by weights, by repeated rows, or not at all.

    Sampling repeats the rows of smaller classes until each has as many as the largest: every row equally often, but for
    a remainder drawn at random.
    """
    if balance != "sampling":
        return replace(train, is_weighted=balance == "weights")
    random = np.random.default_rng([seed % 2**64, 0x626C63])
    counts = np.bincount(train.y, minlength=classes)
    chosen = []
    for label in np.flatnonzero(counts):
        members = np.flatnonzero(train.y == label)
        times, extra = divmod(int(counts.max()), len(members))
        chosen += [*[members] * times, np.sort(random.permutation(members)[:extra])]
    order = np.concatenate(chosen)
    return LabelledRows(x=train.x[order], y=train.y[order], is_weighted=False, shares=counts / counts.sum())


def _labelled(manifest: DatasetManifest, rows: Rows) -> LabelledRows:
    return LabelledRows(x=rows.x, y=rows.labels(manifest))


def predict_tracks(
    fit: Fit, manifest: DatasetManifest, rows: Rows, tracks: Sequence[int], learned: Sequence[int]
) -> Float64:
    """Return the class probabilities of some tracks, shape (tracks, classes).

    Raises `ValueError` when the model predicts NaN: it diverged.
    """
    return by_track(predict_rows(fit, rows, tracks), manifest, tracks, learned)


def by_track(by_row: Votes, manifest: DatasetManifest, tracks: Sequence[int], learned: Sequence[int]) -> Float64:
    """Return the mean of the rows of each track, shape (tracks, classes); class shares for a track without rows."""
    return mean_by_track(by_row.probabilities, by_row.owner, tracks, class_shares(manifest, learned))


def predict_rows(fit: Fit, rows: Rows, tracks: Sequence[int]) -> Votes:
    """Return the class probabilities of the rows of some tracks.

    Raises `ValueError` when the model predicts NaN: it diverged.
    """
    selected = rows.select(tracks)
    by_row = fit.model.probabilities(selected.x)
    if not np.isfinite(by_row).all():
        raise ValueError("the model predicts NaN; it diverged")
    return Votes(probabilities=by_row, owner=selected.owner)


def class_shares(manifest: DatasetManifest, learned: Sequence[int]) -> Float64:
    """Return the share of each class among some tracks, shape (classes,)."""
    counts = np.bincount(label_indices(manifest)[list(learned)], minlength=len(manifest.classes))
    share: Float64 = counts / counts.sum()
    return share
