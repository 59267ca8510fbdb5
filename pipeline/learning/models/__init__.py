"""Model families by name, and the classifiers they make."""

from pipeline.errors import UsageError
from pipeline.learning.models.base import Fit, LabelledRows, ModelFamily, TrainedModel
from pipeline.learning.models.classifier import Classifier, load_model
from pipeline.learning.models.families.boosting import Boosting
from pipeline.learning.models.families.cnn_logmel import CnnLogmel
from pipeline.learning.models.families.cnn_segments import CnnSegments
from pipeline.learning.models.families.dense_boundary import DenseBoundary
from pipeline.learning.models.families.dense_mean import DenseMean
from pipeline.learning.models.families.dense_search import DenseSearch
from pipeline.learning.models.families.dense_stats import DenseStats
from pipeline.learning.models.families.forest import Forest
from pipeline.learning.models.families.logistic import Logistic
from pipeline.learning.models.families.svm import Svm
from pipeline.learning.models.families.svm_raw import SvmRaw
from pipeline.text import printable

__all__ = [
    "Classifier",
    "Fit",
    "LabelledRows",
    "ModelFamily",
    "TrainedModel",
    "load_model",
    "model_family",
    "model_names",
]

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
