"""A broker for the tests of this folder."""

import pytest


@pytest.fixture
def client(lasting_broker):
    """A client of an empty broker that the application publishes to."""
    return lasting_broker.client()
