"""Stores, and processes that start quickly."""

import multiprocessing

import pytest

pytest.register_assert_rewrite("storage.testing.conformance", "tests.storage.stores")

from storage import FileFeatureStore  # noqa: E402  asserts are rewritten only in what is imported later
from tests.storage.stores import fill  # noqa: E402


@pytest.fixture
def store_folder(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(store_folder):
    return FileFeatureStore.open(store_folder)


@pytest.fixture
def half_compacted(store_folder):
    """A store with something in parts and in the inbox."""
    store = FileFeatureStore.open(store_folder)
    fill(store, range(3))
    store.compact()
    fill(store, range(3, 4))
    return store_folder


@pytest.fixture(scope="session")
def processes():
    """Real processes that do not share this one's memory; a server forks them with the imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.storage.workloads"])
    return context
