"""The state file of a service."""

import json
import os
import stat
import sys

import psutil
import pytest

from pipeline.errors import UsageError
from workers.broker.address import BrokerAddress
from workers.service import state as service_state
from workers.service.state import Process, Service


def state(**more) -> Service:
    """Return the state of a service that this process is."""
    return Service(
        **{
            "host": os.uname().nodename,
            "process": Process.of(os.getpid()),
            "state": "ready",
            "broker": BrokerAddress(url="redis://:secret@127.0.0.1:1/0"),
            "embedded": True,
            "workers": 1,
            "since": "2026-07-24T01:00:00+00:00",
            **more,
        }
    )


def test_the_state_is_readable_by_its_owner_alone(tmp_path):
    service_state.write(tmp_path, state())
    assert stat.S_IMODE((tmp_path / service_state.STATE).stat().st_mode) == 0o600
    assert service_state.find(tmp_path) == service_state.read(tmp_path) == state()


def test_a_process_that_came_later_with_the_same_number_is_no_service(tmp_path):
    mine = Process.of(os.getpid())
    service_state.write(tmp_path, state(process=mine.replace(began=mine.began - 100)))
    assert service_state.find(tmp_path) is None


def test_a_service_with_a_private_broker_on_another_host_is_named(tmp_path):
    service_state.write(tmp_path, state(host="studio"))
    with pytest.raises(UsageError, match="studio"):
        service_state.find(tmp_path)
    with pytest.raises(UsageError, match="studio"):
        service_state.take_down(tmp_path)


def test_a_service_that_starts_or_stops_is_not_used(tmp_path):
    service_state.write(tmp_path, state(state="starting"))
    with pytest.raises(UsageError, match="starting"):
        service_state.find(tmp_path)


def test_a_state_file_of_another_version_is_none(tmp_path):
    (tmp_path / service_state.STATE).write_text(json.dumps({"pid": 1}))
    assert service_state.read(tmp_path) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the time when a process began stays")
@pytest.mark.parametrize("hours", [5, -5])
def test_a_service_is_known_again_when_the_clock_was_set(tmp_path, monkeypatch, hours):
    service_state.write(tmp_path, state())
    booted = psutil.boot_time()
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: booted + hours * 3600)
    assert abs(psutil.Process().create_time() - Process.of(os.getpid()).began) < 1
    assert service_state.find(tmp_path) is not None


def test_a_state_without_troubles_is_one_of_an_older_version(tmp_path):
    written = state(troubles={"broker": "it is away"})
    service_state.write(tmp_path, written)
    assert service_state.read(tmp_path) == written
    wire = json.loads((tmp_path / service_state.STATE).read_text())
    del wire["troubles"], wire["process"]["boot"]
    (tmp_path / service_state.STATE).write_text(json.dumps(wire))
    assert service_state.read(tmp_path).troubles == {}
    assert service_state.find(tmp_path) is not None
