"""Lengths of time as readers see them."""

import pytest

from pipeline.text import describe_duration, describe_playing_time, describe_position


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 ms"),
        (0.34, "340 ms"),
        (12.34, "12.3 s"),
        (61, "1 min 01 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (90_061, "25 h 01 min"),
        (float("nan"), "\u2013"),
    ],
)
def test_durations_are_written_in_the_units_that_matter(seconds, words):
    assert describe_duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "decimals", "words"),
    [
        (0.0, 0, "0:00"),
        (210.4, 0, "3:30"),
        (3723, 0, "1:02:03"),
        (59.96, 1, "1:00.0"),
        (210.25, 1, "3:30.2"),
        (3723.4, 1, "1:02:03.4"),
    ],
)
def test_places_in_a_recording_are_written_as_on_a_player(seconds, decimals, words):
    assert describe_position(seconds, decimals=decimals) == words


def test_a_playing_time_below_a_minute_is_in_seconds():
    assert describe_playing_time(12.5) == "12.5 s"
    assert describe_playing_time(3723) == "1:02:03"
