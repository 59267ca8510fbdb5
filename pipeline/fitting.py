"""One fit of one configuration on some tracks, and what it says of others."""

from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Float64
from pipeline.augmentation.rows import augmented
from pipeline.datasets import Rows, label_indices
from pipeline.learning import DatasetManifest, TrialSpec
from pipeline.models import Fit, Labelled, model_family
from pipeline.models.classifier import mean_by_track


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
    return model_family(spec.family).fit(
        augmented(_labelled(manifest, rows.of(train, copies=True)), spec.augment, seed=spec.seed),
        None if validation is None else _labelled(manifest, rows.of(validation)),
        classes=len(manifest.classes),
        hyperparameters=spec.hyperparameters,
        seed=spec.seed,
        epochs=epochs,
    )


def _labelled(manifest: DatasetManifest, rows: Rows) -> Labelled:
    return Labelled(x=rows.x, y=rows.labels(manifest))


def predict_tracks(
    fit: Fit, manifest: DatasetManifest, rows: Rows, tracks: Sequence[int], learned: Sequence[int]
) -> Float64:
    """Return the class probabilities of some tracks, shape (tracks, classes).

    Raises `ValueError` when the model says NaN: it diverged.
    """
    asked = rows.of(tracks)
    by_row = fit.model.probabilities(asked.x)
    if not np.isfinite(by_row).all():
        raise ValueError("the model predicts NaN; it diverged")
    return mean_by_track(by_row, asked.owner, tracks, class_shares(manifest, learned))


def class_shares(manifest: DatasetManifest, learned: Sequence[int]) -> Float64:
    """Return the share of each class among some tracks, shape (classes,)."""
    counts = np.bincount(label_indices(manifest)[list(learned)], minlength=len(manifest.classes))
    share: Float64 = counts / counts.sum()
    return share
