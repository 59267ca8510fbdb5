"""The scikit-learn families: rows are standardised, models are saved as skops files of known types only."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Float32, Float64
from pipeline.errors import UsageError
from pipeline.learning.models.base import CLIP_SD, Fit, LabelledRows, column_statistics
from pipeline.text import printable

FILE_NAME = "model.skops"

TRUSTED = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""Types that a file may hold beside those that skops trusts by itself: of forests and boosted trees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicModel:
    """A fitted scikit-learn estimator; rows of any shape are flattened.

    `mean` and `deviation` (columns,) standardise them, statistics of the training rows.
    """

    estimator: Any
    mean: Float64
    deviation: Float64
    classes: int
    clip_sd: float | None = CLIP_SD
    """How many deviations from the mean an input may be; beyond it is clipped. None for no bound."""
    prior_ratios: Float64 | None = None
    """What the probabilities are multiplied by where classes were balanced, shape (classes,); None for 1."""

    def probabilities(self, x: Float32) -> Float64:
        """Return the class probabilities of each row, shape (rows, classes); a class never seen in training gets 0.

        A model without probabilities of its own (the SVM) gives the softmax of its one-vs-rest decision values:
        ordered like its decisions, not calibrated. Others, if they learned from balanced classes, are brought back to
        the shares that the classes have.
        """
        out = np.zeros((len(x), self.classes))
        if not len(x):
            return out
        rows = self._standardise(x)
        if hasattr(self.estimator, "predict_proba"):
            known_classes = self.estimator.predict_proba(rows)
            if self.prior_ratios is not None:
                known_classes = known_classes * self.prior_ratios[self.estimator.classes_]
                known_classes /= known_classes.sum(axis=1, keepdims=True)
        else:
            known_classes = _softmax(self.estimator.decision_function(rows))
        out[:, self.estimator.classes_] = known_classes
        return out

    def save(self, folder: Path) -> None:
        """Write `model.skops`."""
        import skops.io

        parts = {
            "estimator": self.estimator,
            "mean": self.mean,
            "deviation": self.deviation,
            "classes": self.classes,
            "clip_sd": self.clip_sd,
        }
        if self.prior_ratios is not None:
            parts["prior_ratios"] = self.prior_ratios
        skops.io.dump(parts, folder / FILE_NAME)

    def fit(self, train: LabelledRows) -> "ClassicModel":
        """Fit the estimator on rows and return the model."""
        self.estimator.fit(self._standardise(train.x), train.y)
        return self

    def _standardise(self, x: Float32) -> Float64:
        flat = x.reshape(len(x), -1)
        scaled: Float64 = (flat - self.mean) / self.deviation
        return scaled if self.clip_sd is None else np.clip(scaled, -self.clip_sd, self.clip_sd)


def load_classic(folder: Path) -> ClassicModel:
    """Return the model saved in a folder.

    Raises `UsageError` when the file has types that no family here writes.
    """
    import skops.io

    path = folder / FILE_NAME
    try:
        unknown_types = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(f"model {printable(str(path))}: is no readable skops file ({error}); train again") from error
    if unknown_types:
        raise UsageError(
            f"model {printable(str(path))}: holds unknown types ({', '.join(unknown_types)}); it is not one of ours"
        )
    parts = skops.io.load(path, trusted=list(TRUSTED))
    return ClassicModel(**parts)


def fit_classic(
    estimator: Any, train: LabelledRows, *, classes: int, standardised: bool = True, has_posteriors: bool = False
) -> Fit:
    """Fit an estimator on flattened rows, standardised and clipped, or as they are.

    The probabilities of one that `has_posteriors` follow the shares of the classes in its loss, and are brought back
    to those of the rows. The votes of a forest and the decisions of an SVM do not follow them.
    """
    flat = train.x.reshape(len(train.x), -1)
    mean, deviation = column_statistics(flat) if standardised else (np.zeros(flat.shape[1]), np.ones(flat.shape[1]))
    clip_sd = CLIP_SD if standardised else None
    ratios = train.prior_ratios(classes) if has_posteriors else np.ones(classes)
    model = ClassicModel(
        estimator=estimator,
        mean=mean,
        deviation=deviation,
        classes=classes,
        clip_sd=clip_sd,
        prior_ratios=None if np.allclose(ratios, 1, rtol=1e-6) else ratios,
    ).fit(train)
    learned = [getattr(estimator, name, None) for name in ("coef_", "dual_coef_", "support_vectors_", "intercept_")]
    return Fit(model=model, parameters=sum(int(array.size) for array in learned if array is not None))


def _softmax(decision: Float64) -> Float64:
    """Return the softmax of decision values (rows, classes), or (rows,) of the second of two classes."""
    if decision.ndim == 1:
        decision = np.stack([-decision, decision], axis=1) / 2
    exponentials = np.exp(decision - decision.max(axis=1, keepdims=True))
    share: Float64 = exponentials / exponentials.sum(axis=1, keepdims=True)
    return share
