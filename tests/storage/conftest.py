"""Stores, and processes that start quickly."""

import multiprocessing

import pytest

pytest.register_assert_rewrite("storage.testing.conformance", "tests.storage.checks")

from storage import FileFeatureStore  # noqa: E402  asserts are rewritten only in what is imported later


@pytest.fixture
def home(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(home):
    return FileFeatureStore.open(home)


@pytest.fixture(scope="session")
def processes():
    """Real processes that do not share this one's memory; a server forks them with the imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.storage.workloads"])
    return context
