"""One fit of one configuration on some tracks, and what it says of others."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.arrays import Float64
from pipeline.learning.dataset.load import Rows, label_indices
from pipeline.learning.dataset.manifests import DatasetManifest
from pipeline.learning.evaluation.votes import Votes
from pipeline.learning.models import Fit, Labelled, model_family
from pipeline.learning.models.classifier import mean_by_track
from pipeline.learning.study.trials import TrialSpec
from pipeline.learning.training.row_augmentation import augmented
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
    taught = balanced(_labelled(manifest, rows.of(train, copies=True)), spec.balance, seed=spec.seed)
    return model_family(spec.family).fit(
        augmented(taught, spec.augment, seed=spec.seed),
        None if validation is None else _labelled(manifest, rows.of(validation)),
        classes=len(manifest.classes),
        hyperparameters=spec.hyperparameters,
        seed=spec.seed,
        epochs=epochs,
    )


def balanced(train: Labelled, balance: Balance, *, seed: int) -> Labelled:
    """Return training rows as classes of different size shall count: weighted, repeated, or as they are.

    Sampling repeats the rows of smaller classes until each has as many as the largest: every row equally often, but for
    a rest drawn at random.
    """
    if balance != "sampling":
        return replace(train, is_weighted=balance == "weights")
    random = np.random.default_rng([seed % 2**64, 0x626C63])
    counts = np.bincount(train.y)
    chosen = []
    for label in np.flatnonzero(counts):
        there = np.flatnonzero(train.y == label)
        times, rest = divmod(int(counts.max()), len(there))
        chosen += [*[there] * times, np.sort(random.permutation(there)[:rest])]
    order = np.concatenate(chosen)
    return Labelled(x=train.x[order], y=train.y[order], is_weighted=False)


def _labelled(manifest: DatasetManifest, rows: Rows) -> Labelled:
    return Labelled(x=rows.x, y=rows.labels(manifest))


def predict_tracks(
    fit: Fit, manifest: DatasetManifest, rows: Rows, tracks: Sequence[int], learned: Sequence[int]
) -> Float64:
    """Return the class probabilities of some tracks, shape (tracks, classes).

    Raises `ValueError` when the model says NaN: it diverged.
    """
    return by_track(predict_rows(fit, rows, tracks), manifest, tracks, learned)


def by_track(by_row: Votes, manifest: DatasetManifest, tracks: Sequence[int], learned: Sequence[int]) -> Float64:
    """Return the mean of the rows of each track, shape (tracks, classes); class shares for a track without rows."""
    return mean_by_track(by_row.probabilities, by_row.owner, tracks, class_shares(manifest, learned))


def predict_rows(fit: Fit, rows: Rows, tracks: Sequence[int]) -> Votes:
    """Return the class probabilities of the rows of some tracks.

    Raises `ValueError` when the model says NaN: it diverged.
    """
    asked = rows.of(tracks)
    by_row = fit.model.probabilities(asked.x)
    if not np.isfinite(by_row).all():
        raise ValueError("the model predicts NaN; it diverged")
    return Votes(probabilities=by_row, owner=asked.owner)


def class_shares(manifest: DatasetManifest, learned: Sequence[int]) -> Float64:
    """Return the share of each class among some tracks, shape (classes,)."""
    counts = np.bincount(label_indices(manifest)[list(learned)], minlength=len(manifest.classes))
    share: Float64 = counts / counts.sum()
    return share
