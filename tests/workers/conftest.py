"""A real embedded broker for the tests of this folder."""

from collections.abc import Iterator

import pytest

from workers.address import BrokerAddress
from workers.session import Session, session


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
