"""Which models and runs may be deleted, and that nothing which is needed goes."""

import json

import pytest
from homes import scan
from model_homes import learn, songs, store

from pipeline.errors import UsageError
from storage.home import Home
from workers.cli import main
from workers.learning import promotion
from workers.runs import retention
from workers.runs.active import announce


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    """A home of five models: v0002 is the champion, v0001 was before it; the newest scan is that of r5."""
    monkeypatch.setenv("CHORDAL_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "400")
    made = Home(tmp_path)
    store(tmp_path, songs(40))
    for number in range(1, 6):
        learn(tmp_path, f"r{number}", songs(30), songs(10, first=30))
        made.ledger.write_shard(f"r{number}", 0, [])
        made.ledger.close_scan(f"r{number}", 1)
        (made.ledger.path(f"r{number}") / "report.html").write_text("page", "utf-8")
    promotion.decide(made, "r1")
    made.champions.promote("v0002")
    return made


@pytest.fixture
def chordal(capsys):
    """Run a command and return its status, and what it printed."""

    def run(*arguments) -> tuple[int, str, str]:
        status = 0
        try:
            main([*arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_the_champion_and_what_a_rollback_leads_to_stay(home):
    pruned = retention.prune_models(home, 1)
    assert pruned.deleted == ("v0003", "v0004")
    assert set(pruned.kept) == {"v0001", "v0002"}
    assert pruned.kept["v0002"] == "it is the champion"
    assert pruned.bytes > 0
    assert home.registry.names() == ["v0001", "v0002", "v0005"]
    home.registry.check(home.registry.get("v0001"))
    assert home.champions.rollback().version == "v0001"


def test_a_deleted_number_is_not_given_again(home):
    retention.delete_models(home, ["v0005"])
    learn(home.path, "r6", songs(30), songs(10, first=30))
    assert home.registry.names()[-1] == "v0006"


def test_all_or_none_of_the_models_named_are_deleted(home):
    for names, words in (
        (["v0003", "v0002"], "v0002: it is the champion"),
        (["v0003", "v0001"], "v0001: `chordal models rollback`"),
        (["v0003", "v9999"], "v9999: no such version"),
    ):
        with pytest.raises(UsageError, match=words):
            retention.delete_models(home, names)
    assert len(home.registry.names()) == 5


def test_of_the_runs_those_stay_that_something_needs(home):
    with announce(home, "r3"):
        pruned = retention.prune_runs(home, 1)
    assert pruned.deleted == ("r4",)
    assert pruned.kept == {
        "r1": "it made v0001: `chordal models rollback` may lead back to it",
        "r2": "it made v0002: it is the champion",
        "r3": "it goes on",
    }
    assert home.ledger.run_ids() == ["r1", "r2", "r3", "r5"]
    # its model is there as before
    assert home.registry.get("v0004").run_id == "r4"


def test_the_newest_scan_of_each_library_stays(home):
    scan(home.path, {}, number=6, library="/other")
    scan(home.path, {}, number=7)
    with pytest.raises(UsageError, match="run run-6: its scan is the newest of its library"):
        retention.delete_runs(home, ["run-6"])
    assert "run-6" in retention.prune_runs(home, 1).kept
    # the scan of r5 was followed by another one of that library
    assert "r5" not in home.ledger.run_ids()


def test_an_unfinished_run_is_not_pruned_but_may_be_deleted_by_its_name(home):
    (home.ledger.path("r4") / "report.json").unlink()
    assert retention.prune_runs(home, 1).kept["r4"].startswith("it has not ended")
    assert retention.delete_runs(home, ["r4"]).deleted == ("r4",)


def test_the_commands_say_what_they_do(home, chordal):
    status, out, _ = chordal("models", "prune", "--keep", "1", "--dry-run")
    assert (status, out.splitlines()[0].split(",")[0]) == (0, "2 models would be deleted")
    assert "v0002 stays: it is the champion" in out
    assert len(home.registry.names()) == 5
    status, out, _ = chordal("models", "delete", "v0003", "--json")
    assert (status, json.loads(out)["deleted"]) == (0, ["v0003"])
    status, out, err = chordal("models", "delete", "v0002")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "model v0002: it is the champion" in err
    status, out, _ = chordal("runs", "list", "--json")
    assert [run["run_id"] for run in json.loads(out)["runs"]] == ["r1", "r2", "r3", "r4", "r5"]
    assert [run["stage"] for run in json.loads(out)["runs"]] == ["finished"] * 5
    status, out, _ = chordal("runs", "prune", "--keep", "1")
    assert out.startswith("2 runs deleted")
    assert chordal("runs", "delete", "nowhere")[0] == 2
    # models of runs that are gone are compared by what was registered with them
    assert chordal("models", "compare", "v0001", "v0004")[0] == 0
