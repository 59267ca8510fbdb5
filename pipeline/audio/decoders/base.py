"""The interface of all decoders, and the bounds of rate and channel count."""

from collections.abc import Sequence
from typing import Protocol

from pipeline.arrays import Float32
from pipeline.errors import UnreadableError, UnsupportedError

MIN_RATE_HZ = 1_000
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 127
"""The store keeps the channel of a row as a signed byte."""
ENDS_EARLY = "the data ends early"
"""The reason for less sound than declared when the decoder gives none."""


class UnknownFormatError(UnreadableError):
    """A format that one decoder does not know; another one may."""


class Source(Protocol):
    """One opened file, read once from its start to its end.

    Errors are those of `pipeline.errors` with the reason alone: the caller, which opened the file, adds its name.
    """

    sample_rate_hz: int
    channels: int

    def read_into(self, block: Float32) -> int:
        """Fill a block, (frames, channels), float32, C-contiguous; return how many frames, fewer only at the end."""
        ...

    def seek(self, frame: int) -> bool:
        """Go to a frame of the sound; False, and nothing is changed, where that cannot be done to the sample."""
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


def decoding_note(decoded_s: float, declared_s: float | None, reasons: Sequence[str]) -> str:
    """Return the note of a file: how much of it was decoded, and the reasons for a note; empty without one.

    `declared_s` is the length in the header, None when there is none or it was right.
    """
    text = "; ".join(filter(None, reasons))
    share = "" if declared_s is None else f" of {declared_s:.2f} s"
    return f"decoded {decoded_s:.2f} s{share}: {text}" if text else ""


def in_a_sentence(text: str) -> str:
    """Return a library's message as the end of a sentence: one line, no full stop, no capital but an acronym's."""
    text = " ".join(text.split()).rstrip(".")
    return f"{text[:1].lower()}{text[1:]}" if text[1:2].islower() else text
