"""Words for people: what is safe to print, and how long something is."""

import math
from collections.abc import Iterable
from difflib import get_close_matches

MISSING = "\u2013"
"""What stands where there is no value."""


def printable(path: str) -> str:
    """Return a path for people: one line, valid UTF-8, with odd bytes and control characters escaped."""
    text = path.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `, did you mean NAME?` for the known name nearest to one that is unknown; empty where none is near."""
    near = get_close_matches(name, list(known), n=1)
    return f", did you mean {near[0]}?" if near else ""


def describe_duration(seconds: float) -> str:
    """Return how long something took in its two largest units: `340 ms`, `12.3 s`, `1 min 01 s`, `25 h 01 min`."""
    if not math.isfinite(seconds):
        return MISSING
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def describe_position(seconds: float, *, decimals: int = 0) -> str:
    """Return a place in a recording as players write it: `3:30`, `1:02:03`; `3:30.0` with one decimal."""
    scale = 10**decimals
    whole, fraction = divmod(round(seconds * scale), scale)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return f"{text}.{fraction:0{decimals}d}" if decimals else text


def describe_playing_time(seconds: float) -> str:
    """Return how long a recording plays: `3:30`, `1:02:03`; below a minute `12.5 s`."""
    return f"{seconds:.1f} s" if seconds < 60 else describe_position(seconds)
