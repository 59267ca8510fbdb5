"""The feature store in a folder, log-structured: immutable segments that compaction merges into immutable parts."""

from storage.filestore.store import FileFeatureStore

__all__ = ["FileFeatureStore"]
