"""A service's processes that die, or keep dying, and its broker that goes away."""

import logging
from types import SimpleNamespace

import pytest
from conditions import eventually

from workers.broker.address import BrokerAddress
from workers.processes.child import Child
from workers.processes.cluster import LocalCluster
from workers.service import upkeep as service_upkeep
from workers.service.upkeep import SETTLED_S, Upkeep

pytestmark = pytest.mark.slow

PROGRAM = """
import os, pathlib
if not pathlib.Path({well!r}).exists():
    raise {error}
print("well", flush=True)
os.read(0, 1)
"""


class Service:
    """The upkeep of a service with one process, which dies until it is `well`; the test sets the clock."""

    def __init__(self, folder, *, error: str = 'OSError(30, "Read-only file system")') -> None:
        self.log = folder / "flower.log"
        self._well = folder / "well"
        program = ("-c", PROGRAM.format(well=str(self._well), error=error))
        self.child = Child("flower", [], self.log, program=program).start()
        self.cluster = LocalCluster(BrokerAddress(url="redis://127.0.0.1:1/0"), [self.child], [self.child])
        self.probed: list[str] = []
        self.probe = SimpleNamespace(trouble="", away_s=0.0, probe_soon=lambda: self.probed.append("soon"))
        self.now_s = 1000.0
        eventually(lambda: not self.child.alive)
        self.upkeep = Upkeep(self.cluster, self.probe, (folder,), now_s=lambda: self.now_s)

    def restart(self, *, well: bool = False) -> bool:
        """Go on when the process is dead, much later; return whether it was started again, to live if it is `well`."""
        eventually(lambda: not self.child.alive)
        if well:
            self._well.touch()
        self.now_s += 31.0
        started = self.upkeep.update()
        if well:
            eventually(lambda: "well" in self.log.read_text("utf-8"), within_s=20)
        return started


@pytest.fixture
def service(tmp_path):
    """The upkeep of a process."""
    opened = Service(tmp_path)
    yield opened
    opened.cluster.stop()


def test_what_dies_again_and_again_is_a_trouble_with_its_reason_until_it_has_lived_for_a_minute(service, caplog):
    caplog.set_level(logging.INFO)
    assert service.upkeep.troubles == {}
    assert [service.restart() for _ in range(2)] == [True, True]
    assert service.upkeep.troubles == {}
    assert service.restart(well=True)
    reason = f"(OSError: [Errno 30] Read-only file system); see {service.log}"
    assert service.upkeep.troubles == {"flower": f"dies again and again {reason}"}
    assert "flower died and was started again (OSError: [Errno 30] Read-only file system)" in caplog.messages

    # when it lives, and a minute has gone
    assert not service.upkeep.update()
    service.now_s += SETTLED_S
    assert service.upkeep.update()
    assert service.upkeep.troubles == {}
    assert caplog.messages[-1] == "flower runs again"


def test_what_keeps_dying_is_started_less_and_less_often(service):
    starts = 0
    for _ in range(240):  # two minutes
        eventually(lambda: not service.child.alive)
        service.now_s += 0.5
        starts += service.upkeep.update()
    assert 4 <= starts <= 20


def test_a_broker_that_is_away_is_a_trouble_and_flower_is_started_anew_when_it_was_away_for_long(service):
    service.restart(well=True)
    first = service.child.pid
    service.probe.trouble, service.probe.away_s = "the password or user is wrong", 60.0
    assert service.upkeep.update()
    assert service.upkeep.troubles == {"broker": "the password or user is wrong"}
    assert not service.upkeep.update()
    service.probe.trouble, service.probe.away_s = "", 0.0
    assert service.upkeep.update()
    assert service.upkeep.troubles == {}
    assert service.child.pid != first


def test_what_dies_for_want_of_the_broker_is_started_when_that_is_back_and_is_no_trouble_of_its_own(tmp_path):
    service = Service(tmp_path, error="SystemExit('chordal: broker redis://b: the user may not run BRPOP')")
    assert [service.restart() for _ in range(4)] == [True] * 4
    assert service.upkeep.troubles == {}
    assert len(service.probed) == 4
    service.probe.trouble = "the user may not run BRPOP"
    service.restart()
    assert service.upkeep.troubles == {"broker": "the user may not run BRPOP"}
    assert not service.restart()
    service.probe.trouble = ""
    assert service.restart(well=True)
    assert service.upkeep.troubles == {}
    service.cluster.stop()


def test_long_logs_are_put_aside_every_minute(service, monkeypatch):
    monkeypatch.setattr(service_upkeep.logs.put_aside, "__kwdefaults__", {"longest": 10})
    service.restart(well=True)
    service.now_s += 60.0
    service.upkeep.update()
    assert service.log.read_text("utf-8") == ""
    assert "well" in service.log.with_suffix(".log.1").read_text("utf-8")
