"""The feature store in a folder, log-structured: immutable segments, merged into immutable parts."""

from storage.filestore.store import FileFeatureStore

__all__ = ["FileFeatureStore"]
