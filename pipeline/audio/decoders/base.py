"""The interface of all decoders, and the bounds of rate and channel count."""

from dataclasses import dataclass
from typing import Protocol

from pipeline.arrays import Float32
from pipeline.audio.channels import ChannelNames
from pipeline.errors import UnreadableError, UnsupportedError

MIN_RATE_HZ = 1_000
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 127
"""The store keeps the channel of a row as a signed byte."""
ENDS_EARLY = "the data ends early"
"""The reason for less sound than declared when the decoder gives none."""


class UnknownFormatError(UnreadableError):
    """A format that one decoder does not know; another one may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How sound is laid out in samples."""

    rate_hz: int
    channels: int
    names: ChannelNames = ()
    """Which channels they are, in the order of WAVE; empty where the file does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a decoder found out about a file by reading it."""

    declared_s: float | None = None
    """The length in the header, seconds; None where there is none, or it was a guess."""
    is_short: bool = False
    """Whether less came than was declared."""
    reasons: tuple[str, ...] = ()
    """For a note on the file; none for a whole one."""

    def describe(self, decoded_s: float) -> str:
        """Return the note of a file: how much of it was decoded, and the reasons for a note; empty without one."""
        text = "; ".join(dict.fromkeys(filter(None, self.reasons)))
        share = f" of {self.declared_s:.2f} s" if self.is_short and self.declared_s is not None else ""
        return f"decoded {decoded_s:.2f} s{share}: {text}" if text else ""


class Source(Protocol):
    """One opened file, read once from its start to its end.

    Errors are those of `pipeline.errors` with the reason alone: the caller, which opened the file, adds its name.
    """

    @property
    def layout(self) -> Layout:
        """Rate and channels of all samples, in the order of WAVE."""
        ...

    def read_into(self, block: Float32) -> int:
        """Fill a block, (frames, channels), float32, C-contiguous; return how many frames, fewer only at the end."""
        ...

    def seek(self, frame: int) -> bool:
        """Go to a frame of the sound; False, and nothing is changed, where that cannot be done to the sample."""
        ...

    def findings(self, frames: int) -> Findings:
        """Return what was found out about the file, given the frames that came."""
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


def in_a_sentence(text: str) -> str:
    """Return a library's message as the end of a sentence: one line, no full stop, no capital but an acronym's."""
    text = " ".join(text.split()).rstrip(".")
    return f"{text[:1].lower()}{text[1:]}" if text[1:2].islower() else text
