"""Clocks that are wrong or jump, where no process is needed to see what becomes of it."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest
import soundfile
from sounds import RATE_HZ, sound

from pipeline.library.scan import scan
from pipeline.library.tracks import ExtractTrack, track_id
from pipeline.plans.run import RunPlan
from workers.extraction import extract, orders, removals, settled

HOURS_NS = 5 * 3_600_000_000_000


@pytest.fixture
def path(tmp_path):
    """A file that is loud enough to have features."""
    library = tmp_path / "library"
    library.mkdir()
    soundfile.write(library / "a.wav", sound(1, seconds=1.0), RATE_HZ)
    soundfile.write(library / "b.wav", sound(2, seconds=1.0), RATE_HZ)
    return library / "a.wav"


def extracted(context, plan: RunPlan, path, **changes):
    """Extract what a new run finds missing of a file; return the run and the file's record."""
    now = plan.replace(sequence=context.ledger.next_sequence(), **changes)
    context.ledger.create(now)
    found = [track for track in scan([str(path.parent)]) if track.path == str(path)]
    for order in orders.orders_missing(now, 0, found, context.store.snapshot()):
        extract.extract_one(ExtractTrack.from_wire(order.to_wire()), context)
    [track] = found
    assert settled.is_settled(track, context.store, settled.family_keys(now))
    return context.store.record(track.track_id)


def test_a_file_that_changed_after_the_clock_was_set_back_is_extracted_again(context, plan, path, monkeypatch):
    first = extracted(context, plan, path, run_id="first")
    now_ns = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now_ns - HOURS_NS)
    for number in range(3):
        soundfile.write(path, sound(10 + number, seconds=1.0 + number), RATE_HZ)
        record = extracted(context, plan, path, run_id=f"later-{number}", created=f"2025-01-01T0{number}:00:00+00:00")
        assert record.sequence == first.sequence + 1 + number


def test_a_file_removed_under_a_clock_that_was_ahead_comes_back_when_it_is_right(context, plan, path, monkeypatch):
    extracted(context, plan, path, run_id="first")
    now_ns = time.time_ns()
    away = path.rename(path.parent.parent / "away.wav")
    monkeypatch.setattr(time, "time_ns", lambda: now_ns + HOURS_NS)
    assert removals.remove(context, (str(path.parent),), [str(path)]) == 1
    assert context.store.record(track_id(str(path))).mark == "deleted"
    assert [entry.state for entry in context.tracks.entries()] == ["deleted"]
    monkeypatch.undo()
    away.rename(path)
    assert extracted(context, plan, path, run_id="second").mark is None


def test_times_of_files_that_lie_ahead_are_stamps_like_any_other(context, plan, path):
    ahead = (datetime.now(UTC) + timedelta(days=400)).timestamp()
    os.utime(path, (ahead, ahead))
    first = extracted(context, plan, path, run_id="first")
    again = extracted(context, plan, path, run_id="second")
    assert again == first
