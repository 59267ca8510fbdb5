"""A broker that will not do is named before anything is scanned or claimed."""

import pytest

from pipeline.errors import BrokerError, UsageError
from storage import RunLedger
from storage.home import Home
from workers.broker.address import BrokerAddress
from workers.broker.heartbeats import Heartbeat, WorkerList
from workers.runs import execute
from workers.runs.cancel import STOPPED
from workers.runs.progress import View
from workers.runs.request import RunRequest

NOWHERE = BrokerAddress(url="redis://127.0.0.1:1/0")


@pytest.fixture
def request_of(plan, tmp_path):
    """Return the request of a run over an empty folder with a broker."""
    (tmp_path / "library").mkdir()

    def made(broker: BrokerAddress) -> RunRequest:
        return RunRequest(command=(), libraries=(str(tmp_path / "library"),), recipe=plan.recipe, broker=broker)

    return made


def test_a_broker_that_does_not_answer_is_named_before_the_scan(tmp_path, request_of):
    with pytest.raises(BrokerError, match="is it running"), View(quiet=True) as view:
        execute.execute(tmp_path, request_of(NOWHERE), view)
    assert Home(tmp_path).ledger.run_ids() == []


def test_workers_of_another_version_are_named_before_the_scan(tmp_path, request_of, broker):
    WorkerList(broker.client()).write("extract@attic", Heartbeat(version="99.1"))
    with pytest.raises(UsageError, match=r"extract@attic is chordal 99\.1"), View(quiet=True) as view:
        execute.execute(tmp_path, request_of(broker), view)
    assert Home(tmp_path).ledger.run_ids() == []


def test_a_run_that_cannot_be_taken_up_now_may_be_later(tmp_path, plan):
    ledger = RunLedger(tmp_path)
    ledger.create(plan)
    with pytest.raises(BrokerError, match="is it running"), View(quiet=True) as view:
        execute.adopt(tmp_path, plan.run_id, view, broker=NOWHERE)
    assert ledger.claim_of(plan.run_id, STOPPED) is None
