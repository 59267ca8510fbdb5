"""What `chordal schedule show` says of now: the night that is due, the runs that go on, a service that died."""

import json
import socket
from datetime import UTC, datetime, timedelta

import pytest

from storage.home import Home
from workers.broker.address import BrokerAddress
from workers.cli.service.schedule_view import show_schedule
from workers.runs.active import announce
from workers.schedule.nights import Attempt, NightResult, Nights, Schedule
from workers.service import state
from workers.service.state import Process, Service

SLOT = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)


@pytest.fixture
def home(tmp_path):
    """A home with a night that is due."""
    since = (SLOT - timedelta(days=2)).isoformat()
    Nights(tmp_path).put_schedule(Schedule(nightly=f"0 {SLOT.hour} * * *", since=since, libraries=("/music",)))
    return Home(tmp_path)


def shown(home, capsys) -> tuple[str, dict]:
    """Return what is shown to people, and to programs."""
    show_schedule(home, as_json=False)
    text = capsys.readouterr().out
    show_schedule(home, as_json=True)
    return " ".join(text.split()), json.loads(capsys.readouterr().out)


def test_a_night_that_waits_is_shown_with_the_run_that_it_waits_for(home, capsys):
    with announce(home, "r7"):
        text, wire = shown(home, capsys)
    assert f"the night of {SLOT:%a %Y-%m-%d %H:%M} waits for run r7" in text
    assert (wire["current"]["state"], wire["current"]["run_id"], wire["runs"]) == ("waits", "r7", ["r7"])


def test_a_night_that_goes_on_is_shown_with_its_run_and_other_runs_are_too(home, capsys):
    attempt = Attempt(run_id="r8", host="studio", pid=1, started=SLOT.isoformat())
    Nights(home.path).begin(SLOT, 1, attempt)
    with announce(home, "r8"), announce(home, "r9"):
        text, wire = shown(home, capsys)
    assert "goes on as run r8, since " in text
    assert "run r9 goes on" in text
    assert "run r8 goes on" not in text
    assert wire["runs"] == ["r8", "r9"]


def test_nothing_is_shown_of_a_night_that_is_over_but_its_result(home, capsys):
    Nights(home.path).settle(
        SLOT, NightResult(slot=SLOT.isoformat(), state="failed", reason="no sound", ended=SLOT.isoformat())
    )
    text, wire = shown(home, capsys)
    assert "failed: no sound" in text
    assert (wire["current"], wire["died"]) == (None, False)


def test_a_service_that_died_is_shown(home, capsys):
    died = Service(
        host=socket.gethostname(),
        process=Process(pid=2**22 + 1, began=0.0),
        state="ready",
        broker=BrokerAddress(url="redis://127.0.0.1:1/0"),
        embedded=True,
        workers=1,
        since=SLOT.isoformat(),
    )
    state.write(home.path, died)
    text, wire = shown(home, capsys)
    assert f"the service, process {2**22 + 1}, died; `chordal up` starts it again" in text
    assert (wire["service"], wire["died"]) == (False, True)
