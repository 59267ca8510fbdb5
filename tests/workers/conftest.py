"""A real embedded broker, and a worker's doors to it, for the tests of this folder."""

from collections.abc import Iterator

import pytest

from pipeline.recipe import parse_recipe
from pipeline.runs import RunPlan
from workers.address import BrokerAddress
from workers.app import app, configure
from workers.context import Context
from workers.session import Session, session
from workers.settings import Settings


@pytest.fixture
def running(tmp_path) -> Iterator[Session]:
    """An embedded broker without workers."""
    (tmp_path / "logs").mkdir()
    with session(tmp_path, None, 0) as opened:
        yield opened


@pytest.fixture
def broker(running) -> BrokerAddress:
    """The address of an embedded broker."""
    return running.broker


@pytest.fixture(scope="session")
def lasting_broker(tmp_path_factory) -> Iterator[BrokerAddress]:
    """The broker that the application publishes to: it keeps its result backend for as long as it lives."""
    home = tmp_path_factory.mktemp("home")
    (home / "logs").mkdir()
    with session(home, None, 0) as opened:
        configure(Settings(home=str(home), broker=opened.broker), "client")
        yield opened.broker
        app.pool.force_close_all()


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
