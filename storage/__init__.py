"""All that is on disk: the feature store, the ledger of runs, the registry of models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from storage.base import CompactionReport, FeatureStore, GcReport, Snapshot
from storage.documents import Documents
from storage.ledger.runs import Claim, RunLedger
from storage.memory import MemoryFeatureStore
from storage.models.champions import Champion, Champions
from storage.models.registry import ModelRegistry

if TYPE_CHECKING:
    from storage.features.reader import Features, open_features
    from storage.filestore import FileFeatureStore

__all__ = [
    "Champion",
    "Champions",
    "Claim",
    "CompactionReport",
    "Documents",
    "FeatureStore",
    "Features",
    "FileFeatureStore",
    "GcReport",
    "MemoryFeatureStore",
    "ModelRegistry",
    "RunLedger",
    "Snapshot",
    "open_features",
]

_WITH_HDF5 = {
    "Features": "storage.features.reader",
    "FileFeatureStore": "storage.filestore",
    "open_features": "storage.features.reader",
}
"""Names whose modules import h5py, and where they are: a command that reads documents alone does without it."""


def __getattr__(name: str) -> Any:
    """Return one of them, imported now."""
    if name not in _WITH_HDF5:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WITH_HDF5[name]), name)
