"""Model families by name, and the classifiers they make."""

from pipeline.errors import UsageError
from pipeline.models.base import Fit, Labelled, ModelFamily, TrainedModel
from pipeline.models.boosting import Boosting
from pipeline.models.classifier import Classifier, load_model
from pipeline.models.cnn_logmel import CnnLogmel
from pipeline.models.cnn_segments import CnnSegments
from pipeline.models.dense_boundary import DenseBoundary
from pipeline.models.dense_mean import DenseMean
from pipeline.models.dense_search import DenseSearch
from pipeline.models.dense_stats import DenseStats
from pipeline.models.forest import Forest
from pipeline.models.logistic import Logistic
from pipeline.models.svm import Svm
from pipeline.models.svm_raw import SvmRaw
from pipeline.tracks import printable

__all__ = ["Classifier", "Fit", "Labelled", "ModelFamily", "TrainedModel", "load_model", "model_family", "model_names"]

_FAMILIES: dict[str, ModelFamily] = {
    family.name: family
    for family in (
        DenseSearch(),
        CnnSegments(),
        CnnLogmel(),
        DenseMean(),
        DenseStats(),
        DenseBoundary(),
        Logistic(),
        Svm(),
        SvmRaw(),
        Forest(),
        Boosting(),
    )
}


def model_names() -> list[str]:
    """Return the names of all model families."""
    return sorted(_FAMILIES)


def model_family(name: str) -> ModelFamily:
    """Return the model family of a name; raises `UsageError` when there is none."""
    if name not in _FAMILIES:
        raise UsageError(f"model family {printable(name)}: unknown; use one of: {', '.join(model_names())}")
    return _FAMILIES[name]
