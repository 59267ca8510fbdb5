"""A broker for the tests of this folder."""

import pytest


@pytest.fixture
def client(empty_broker):
    """A client of an empty broker that the application publishes to."""
    return empty_broker.client()
