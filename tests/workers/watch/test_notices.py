"""A watch tells of what goes on for long, once, and when it is over."""

import pytest
import receivers
from conditions import eventually
from model_homes import learn, songs, store

from pipeline.learning.evaluation.gate import Verdict
from storage import Champion
from storage.home import Home
from workers.notices.targets import parse_targets
from workers.watch import notices
from workers.watch.notices import WatchNotices


@pytest.fixture
def missing():
    """The libraries that are not there, with the reason."""
    return {}


@pytest.fixture
def watch(tmp_path, missing, monkeypatch):
    """A watch whose minutes are tenths of a second, and what it tells."""
    monkeypatch.setattr(notices, "LOOK_S", 0.02)
    monkeypatch.setattr(notices, "AWAY_S", 0.2)
    monkeypatch.setattr(notices, "FAILING_S", 0.2)
    with receivers.web() as page:
        yield WatchNotices(Home(tmp_path / "home"), parse_targets([page.url]), missing.copy), page


def test_a_library_that_is_away_for_long_is_told_and_that_it_is_back(watch, missing):
    _, page = watch
    missing["/music"] = "it was unmounted"
    eventually(lambda: page.events == ["root_away"])
    assert page.bodies[0]["text"].startswith("the library /music has been away for ")
    assert page.bodies[0]["text"].endswith(": it was unmounted")
    missing.clear()
    eventually(lambda: page.events == ["root_away", "recovered"])


def test_updates_that_keep_failing_are_told_once_and_that_they_are_well_again(watch):
    watching, page = watch
    watching.failed("broker: away; start it")
    watching.succeeded()
    assert page.bodies == []

    def fail() -> list[str]:
        watching.failed("broker: away; start it")
        return page.events

    eventually(fail)
    fail()
    assert (page.events, page.bodies[0]["reason"], page.bodies[0]["mend"]) == (["failed"], "broker: away", "start it")
    watching.succeeded()
    watching.succeeded()
    eventually(lambda: page.events == ["failed", "recovered"])


@pytest.mark.parametrize("state", ["promoted", "kept"])
def test_a_new_champion_is_told(watch, tmp_path, state):
    watching, page = watch
    home = Home(tmp_path / "home")
    store(home.path, songs(20))
    model = learn(home.path, "r1", songs(10), songs(10, first=10))
    verdict = Verdict(version=model.version, state=state, reason="better")
    home.champions.append(None, Champion(number=0, version=model.version, action="first", verdict=verdict, at=""))
    watching.learned("r1")
    if state == "promoted":
        eventually(lambda: page.events == ["model_changed"])
        assert page.bodies[0]["text"].startswith("the champion is v0001, accuracy 100.0%")
    assert page.events == (["model_changed"] if state == "promoted" else [])
