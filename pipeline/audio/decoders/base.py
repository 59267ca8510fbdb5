"""What every decoder offers, and the bounds of what is taken for sound."""

from collections.abc import Sequence
from typing import Protocol

from pipeline.arrays import Float32
from pipeline.errors import UnreadableError, UnsupportedError

MIN_RATE_HZ = 1_000
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 127
"""The store keeps the channel of a row as a signed byte."""
ENDS_EARLY = "the data ends early"
"""The reason for less sound than declared when nobody gives another one."""


class UnknownFormatError(UnreadableError):
    """A format that one decoder does not know; another one may."""


class Source(Protocol):
    """One opened file, read once from its start to its end.

    Errors are those of `pipeline.errors` with the reason alone: whoever opened the file knows its name.
    """

    sample_rate_hz: int
    channels: int

    def read_into(self, block: Float32) -> int:
        """Fill a block, (frames, channels), float32, C-contiguous; return how many frames, fewer only at the end."""
        ...

    def note(self, frames: int) -> str:
        """Return how far a damaged file could be read, given the frames that came; empty for a whole one."""
        ...

    def close(self) -> None:
        """Free what the library holds; the file itself stays open."""
        ...


def check_layout(*, rate_hz: int, channels: int) -> None:
    """Refuse a rate and a channel count that no sound has: `UnsupportedError`."""
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise UnsupportedError(f"a sample rate of {rate_hz:,} Hz; {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} are read")
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnsupportedError(f"{channels} channels; at most {MAX_CHANNELS} are read")


def how_far(decoded_s: float, declared_s: float | None, reasons: Sequence[str]) -> str:
    """Return the note of a file: how much of it was decoded and why that is worth saying; empty without a reason.

    `declared_s` is what the header promised, None when it said nothing or was right.
    """
    told = "; ".join(filter(None, reasons))
    of = "" if declared_s is None else f" of {declared_s:.2f} s"
    return f"decoded {decoded_s:.2f} s{of}: {told}" if told else ""


def in_a_sentence(told: str) -> str:
    """Return a library's message as the end of a sentence: one line, no full stop, no capital but an acronym's."""
    told = " ".join(told.split()).rstrip(".")
    return f"{told[:1].lower()}{told[1:]}" if told[1:2].islower() else told
