"""Whoever conducts a night is killed in the middle of it: the night is one run, taken up and brought to its end."""

import kills
import pytest
from conditions import eventually
from nights import move_since
from sounds import write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("victim", ["the process at the run", "the conductor with it"])
def test_a_night_whose_conductor_is_killed_is_taken_up_as_the_same_run(chordal, tmp_path, victim):
    # given a night whose hour passed, in the middle of its files
    library = tmp_path / "library"
    total = write_classes(library, per_class=12, seconds=8.0)
    result = chordal("schedule", "set", "--library", library, "--recipe", chordal.recipe, "--reconcile", "1")
    assert result.status == 0, result.err
    move_since(chordal.home, to="2020-01-01T00:00:00+00:00")
    assert chordal("up", "--workers", "1", "--no-flower", "--no-metrics").status == 0
    eventually(lambda: kills.is_extracting(chordal), within_s=120)

    # when
    conductor, [at_the_run] = kills.worker(chordal, "conduct"), kills.pool(chordal, "conduct")
    at_the_run.kill()
    if victim == "the conductor with it":
        conductor.kill()

    # then
    eventually(lambda: list(chordal.home.glob("nightly/*/result.json")), within_s=200)
    [night] = chordal("schedule", "show", "--json").json["nights"]
    assert night["state"] == "finished", night
    assert night["tracks"] == {"extracted": total, "unchanged": 0, "failed": 0}
    assert [plan.parent.name for plan in (chordal.home / "runs").glob("*/plan.json")] == [night["run_id"]]
    assert night["model"] == "v0001"
    assert len(kills.store_contents(chordal.home)) == total
    assert chordal("down").status == 0
    assert chordal.live_processes() == []
