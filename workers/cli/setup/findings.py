"""What a check of `chordal doctor` finds."""

from collections.abc import Callable
from typing import TypeAlias

from pipeline.wire import Value


class Finding(Value, frozen=True, kw_only=True):
    """The result of one check: what it is about, how that is, and what mends it."""

    check: str
    fine: bool
    found: str
    mend: str = ""

    @classmethod
    def of_error(cls, check: str, error: Exception) -> "Finding":
        """Return the finding of an error whose message has the mend behind a semicolon."""
        what, _, mend = str(error).removeprefix(f"{check}: ").partition("; ")
        return cls(check=check, fine=False, found=what, mend=mend or "see the message")


Check: TypeAlias = Callable[[str, str | None], Finding | None]
"""Takes the home and the broker as they were given; None where there is nothing to check."""
