"""The store that cannot lose a track, the run ledger and the model registry."""

from storage.base import CompactionReport, FeatureStore, GcReport, Snapshot
from storage.documents import Documents
from storage.features.reader import Features, open_features
from storage.filestore import FileFeatureStore
from storage.ledger.runs import Claim, RunLedger
from storage.memory import MemoryFeatureStore
from storage.models.champions import Champion, Champions
from storage.models.registry import ModelRegistry

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
