"""The store that cannot lose a track, the run ledger and the model registry."""

from storage.base import CompactionReport, FeatureStore, GcReport, Snapshot
from storage.champions import Champion, Champions
from storage.documents import Documents
from storage.filestore import FileFeatureStore
from storage.memory import MemoryFeatureStore
from storage.reading import Features, open_features
from storage.registry import ModelRegistry
from storage.runs import Claim, RunLedger

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
