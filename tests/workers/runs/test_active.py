import pytest

from pipeline.errors import UsageError
from storage.home import Home
from workers.broker.address import BrokerAddress
from workers.runs.active import active_runs, announce, pick_active_run

BROKER = BrokerAddress(url="redis://user:secret@host:6379/0")


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def test_a_run_is_listed_while_it_goes_on(home):
    with announce(home, "20260101-000000-aaaa") as announcement:
        [first] = active_runs(home)
        assert (first.run_id, first.broker) == ("20260101-000000-aaaa", None)
        announcement.set_broker(BROKER)
        assert pick_active_run(home, None).broker == BROKER
        [file] = (home.path / "going").glob("*.json")
        assert file.stat().st_mode & 0o077 == 0
    assert active_runs(home) == []


def test_what_a_killed_command_left_behind_is_no_run(home):
    with announce(home, "one"):
        left = (home.path / "going" / "one.json").read_bytes()
    (home.path / "going" / "one.json").write_bytes(left)
    with pytest.raises(UsageError, match="no run is going on"):
        pick_active_run(home, None)
    assert [path.name for path in (home.path / "going").iterdir()] == ["one.json"], "looking removes nothing"
    with announce(home, "two"):
        assert [path.name for path in (home.path / "going").iterdir()] == ["two.json"]


def test_of_several_runs_one_has_to_be_named(home):
    with announce(home, "one"), announce(home, "two"):
        with pytest.raises(UsageError, match="one, two"):
            pick_active_run(home, None)
        assert pick_active_run(home, "two").run_id == "two"
        with pytest.raises(UsageError, match="three"):
            pick_active_run(home, "three")
