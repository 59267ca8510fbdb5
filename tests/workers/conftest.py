"""A real embedded broker, and a worker's doors to it, for the tests of this folder."""

from collections.abc import Iterator

import pytest

from pipeline.plans.recipe import parse_recipe
from pipeline.plans.run import RunPlan
from workers.app.context import Context
from workers.app.settings import Settings
from workers.broker.address import BrokerAddress
from workers.processes.cluster import LocalCluster, local_cluster


@pytest.fixture
def running(tmp_path) -> Iterator[LocalCluster]:
    """An embedded broker without workers."""
    (tmp_path / "logs").mkdir()
    with local_cluster(tmp_path, None, 0) as opened:
        yield opened


@pytest.fixture
def broker(running) -> BrokerAddress:
    """The address of an embedded broker."""
    return running.broker


@pytest.fixture
def recipe() -> str:
    """The least a recipe can be."""
    return 'name = "t"\ntitle = "t"\n[[models]]\nfamily = "svm"\nfeatures = "mfcc_mean"'


@pytest.fixture
def plan(recipe) -> RunPlan:
    """A run with the recipe."""
    return RunPlan(
        run_id="r1",
        command=(),
        libraries=(),
        recipe=parse_recipe(recipe, "test"),
        labels="folder",
        groups=None,
        folds=None,
        seed=1,
        sequence=1,
        created="2026-01-01T00:00:00+00:00",
    )


@pytest.fixture
def context(running, tmp_path, plan) -> Context:
    """The doors of a worker."""
    opened = Context(Settings(home=str(tmp_path), broker=running.broker))
    opened.ledger.create(plan)
    return opened
