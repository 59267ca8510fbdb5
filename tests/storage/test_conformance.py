"""Both stores keep the promises of `storage.base`."""

import pytest

from storage import FileFeatureStore, MemoryFeatureStore
from storage.testing.conformance import FeatureStoreConformance


class TestMemoryStore(FeatureStoreConformance):
    @pytest.fixture
    def store(self):
        return MemoryFeatureStore()


class TestFileStore(FeatureStoreConformance):
    @pytest.fixture
    def store(self, tmp_path):
        return FileFeatureStore.open(tmp_path / "store")
