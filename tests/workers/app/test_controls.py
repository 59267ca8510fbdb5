from datetime import time

import pytest

from pipeline.errors import StoreError, UsageError
from workers.app import controls
from workers.app.controls import Controls, hold_reason, parse_hours


def test_nothing_is_held_by_default(tmp_path):
    assert controls.load(tmp_path) == Controls()
    assert hold_reason(Controls(), time(12)) == ""


def test_what_is_saved_is_loaded(tmp_path):
    wanted = Controls(paused=True, nice=7, io="idle", files_per_minute=3, hours="22:00-06:00")
    controls.save(tmp_path, Controls(nice=1))
    controls.save(tmp_path, wanted)
    assert controls.load(tmp_path) == wanted


def test_a_damaged_document_is_named(tmp_path):
    (tmp_path / "controls.json").write_text("{", "utf-8")
    with pytest.raises(StoreError, match=r"controls\.json"):
        controls.load(tmp_path)


@pytest.mark.parametrize(
    ("hours", "within", "outside"),
    [
        ("09:00-17:00", [(9, 0), (16, 59)], [(8, 59), (17, 0), (0, 0)]),
        ("22:00-06:00", [(22, 0), (23, 59), (0, 0), (5, 59)], [(6, 0), (21, 59), (12, 0)]),
        ("20:00-00:00", [(20, 0), (23, 59)], [(0, 0), (19, 59)]),
        ("00:00-06:00", [(0, 0), (5, 59)], [(6, 0), (23, 59)]),
    ],
)
def test_hours_may_go_over_midnight(hours, within, outside):
    for moment in within:
        assert hold_reason(Controls(hours=hours), time(*moment)) == ""
    for moment in outside:
        assert hours in hold_reason(Controls(hours=hours), time(*moment))


def test_a_pause_holds_within_the_hours_too():
    assert hold_reason(Controls(paused=True, hours="00:00-24:00"), time(12)) == "paused"


@pytest.mark.parametrize(
    ("text", "spelled"),
    [("9:00-17:30", "09:00-17:30"), (" 22:00 - 06:00", "22:00-06:00"), ("20:00-24:00", "20:00-00:00")],
)
def test_hours_have_one_spelling(text, spelled):
    assert parse_hours(text) == spelled


@pytest.mark.parametrize("text", ["", "night", "22-6", "25:00-06:00", "22:00-06:60", "08:00-08:00", "24:00-06:00"])
def test_what_is_no_period_is_refused(text):
    with pytest.raises(UsageError, match="hours"):
        parse_hours(text)


def test_controls_are_described_in_words():
    assert controls.describe(Controls()) == "none"
    words = controls.describe(Controls(paused=True, nice=7, io="idle", files_per_minute=3, hours="22:00-06:00"))
    assert words == "paused, nice 7, disk when idle, at most 3 files a minute, within 22:00-06:00"
