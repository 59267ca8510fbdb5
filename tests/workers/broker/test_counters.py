"""What is counted of a run, with a real broker."""

import pytest

from workers.broker.counters import OUTCOMES, Counters


def test_files_are_counted_by_outcome_and_kind_and_give_a_pace(client):
    counters = Counters(client)
    for track in ("t1", "t2", "t3", "t4"):
        counters.begin("run", track)
    for track in ("t1", "t2", "t3"):
        counters.settle("run", track, "extracted", audio_s=2.0)
    counters.settle("run", "t4", "failed", kind="too_short")
    counters.add("run", unchanged=10)
    progress = counters.progress("run")
    assert (progress["extracted"], progress["failed"], progress["unchanged"], progress["audio_s"]) == (3, 1, 10, 6.0)
    assert counters.failures(progress) == {"too_short": 1}
    pace = counters.pace("run")
    # what was there already is no work
    assert pace.audio_s_per_s / pace.files_per_s == pytest.approx(1.5)


def test_of_two_deliveries_of_a_task_that_end_at_once_one_counts(client):
    counters = Counters(client)
    for _ in range(2):
        counters.begin("run", "t1")
    for _ in range(2):
        counters.settle("run", "t1", "extracted", audio_s=2.0)
    assert counters.progress("run")["extracted"] == 1


def test_a_run_that_is_taken_up_is_counted_anew_and_not_twice(client):
    counters = Counters(client)
    counters.begin("run", "t1")
    counters.settle("run", "t1", "failed", kind="too_short", audio_s=2.0)
    counters.restart("run", extracted=3, unchanged=0, failed=1)
    progress = counters.progress("run")
    assert {name: progress.get(name, 0) for name in OUTCOMES} == {"extracted": 3, "unchanged": 0, "failed": 1}
    assert (counters.failures(progress), progress["audio_s"]) == ({"too_short": 1}, 2.0)


def test_runs_of_which_a_file_was_settled_just_now_are_busy(client):
    counters = Counters(client)
    for run_id in ("one", "two"):
        counters.begin(run_id, "t1")
    counters.settle("one", "t1", "extracted")
    assert counters.busy_runs() == ["one"]


def test_a_run_without_files_has_no_pace(client):
    assert Counters(client).pace("run").files_per_s == 0.0
