"""The time, as it is written to files and messages."""

from datetime import UTC, datetime


def now() -> str:
    """Return the time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
