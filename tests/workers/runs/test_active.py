import pytest

from pipeline.errors import UsageError
from workers.broker.address import BrokerAddress
from workers.runs.active import active_runs, announce, pick_active_run

BROKER = BrokerAddress(url="redis://user:secret@host:6379/0")


def test_a_run_is_told_of_while_it_goes_on(tmp_path):
    with announce(tmp_path, "20260101-000000-aaaa") as announcement:
        [first] = active_runs(tmp_path)
        assert (first.run_id, first.broker) == ("20260101-000000-aaaa", None)
        announcement.reached_by(BROKER)
        assert pick_active_run(tmp_path, None).broker == BROKER
        [file] = (tmp_path / "going").glob("*.json")
        assert file.stat().st_mode & 0o077 == 0
    assert active_runs(tmp_path) == []


def test_what_a_killed_command_left_behind_is_no_run(tmp_path):
    with announce(tmp_path, "one"):
        left = (tmp_path / "going" / "one.json").read_bytes()
    (tmp_path / "going" / "one.json").write_bytes(left)
    with pytest.raises(UsageError, match="no run is going on"):
        pick_active_run(tmp_path, None)
    assert list((tmp_path / "going").iterdir()) == []


def test_of_several_runs_one_has_to_be_named(tmp_path):
    with announce(tmp_path, "one"), announce(tmp_path, "two"):
        with pytest.raises(UsageError, match="one, two"):
            pick_active_run(tmp_path, None)
        assert pick_active_run(tmp_path, "two").run_id == "two"
        with pytest.raises(UsageError, match="three"):
            pick_active_run(tmp_path, "three")
