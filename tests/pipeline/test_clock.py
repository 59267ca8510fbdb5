"""The time as it is written down."""

from datetime import UTC, datetime, timedelta

from pipeline.clock import now


def test_the_time_is_utc_to_the_second():
    written = datetime.fromisoformat(now())
    assert written.tzinfo == UTC
    assert written.microsecond == 0
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)
