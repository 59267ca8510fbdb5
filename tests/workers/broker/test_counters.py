"""What is counted of a run, with a real broker."""

import pytest

from workers.broker.counters import Counters


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


def test_a_run_without_files_has_no_pace(client):
    assert Counters(client).pace("run").files_per_s == 0.0
