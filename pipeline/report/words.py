"""Numbers, times and names as a report writes them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from pipeline.learning.study.findings import Interval
from pipeline.text import MISSING, printable


def percent(share: float) -> str:
    """Return a share 0..1 in per cent with one decimal."""
    return f"{share:.1%}" if math.isfinite(share) else MISSING


def points(share: float) -> str:
    """Return a difference of two shares in percentage points."""
    return f"{100 * share:+.1f} points"


def bounds(interval: Interval | None) -> str:
    """Return the bounds of an interval of a share in per cent, or in words that there is none."""
    return f"{percent(interval.low)} to {percent(interval.high)}" if interval is not None else "no interval"


def count(n: int) -> str:
    """Return a number with thousands set apart by commas."""
    return f"{n:,}"


def quantity(n: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun in singular or plural."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def scalar(value: object) -> str:
    """Return a hyper-parameter or parameter: floats without noise, truth values as yes or no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else printable(str(value))


def pairs(values: Mapping[str, object]) -> str:
    """Return a mapping in one line: `epochs 30, rate 0.001`."""
    return ", ".join(f"{printable(name)} {scalar(value)}" for name, value in values.items()) or MISSING


def enumeration(names: list[str]) -> str:
    """Return names as a sentence enumerates them: `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def shorten(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters, cut in the middle."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def reason(text: str) -> str:
    """Return why something failed, in one line of at most 300 characters."""
    return shorten(printable(text), 300) or "no reason told"


def utc_time(iso: str) -> str:
    """Return an ISO 8601 time to the minute, in UTC; text that is none is returned as it is."""
    try:
        then = datetime.fromisoformat(iso)
    except ValueError:
        return printable(iso)
    utc = then.astimezone(UTC) if then.tzinfo else then
    return f"{utc:%Y-%m-%d %H:%M} UTC"


def relative_path(path: str, libraries: tuple[str, ...]) -> str:
    """Return a path for people, relative to the library where there is only one."""
    if len(libraries) == 1:
        root = libraries[0].rstrip("/") + "/"
        path = path.removeprefix(root)
    return printable(path)
