"""A notice: what happened, for people in a line and for programs in JSON."""

import socket
import textwrap
from typing import Any, Literal

from pipeline.clock import now
from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.versions import own_version
from pipeline.wire import Value

Event = Literal[
    "failed", "nothing_ran", "model_changed", "disk_low", "recovered", "finished", "cancelled", "root_away", "test"
]

NIGHT_EVENTS: tuple[Event, ...] = ("failed", "nothing_ran", "model_changed", "disk_low", "recovered", "finished")
"""What may be asked for with `chordal schedule set --notify-on`."""

TEXT_CHARS = 500

NIGHT_DEFAULTS: tuple[Event, ...] = ("failed", "nothing_ran", "model_changed", "disk_low")


def parse_events(text: str) -> tuple[Event, ...]:
    """Return the events of nights in a list with commas. Raises `UsageError` for one that is none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in NIGHT_EVENTS]
    if unknown or not names:
        shown = printable(unknown[0]) if unknown else "nothing"
        raise UsageError(f"notify-on {shown}: no event of nights; choose from {', '.join(NIGHT_EVENTS)}")
    return tuple(event for event in NIGHT_EVENTS if event in names)


class ModelScore(Value, frozen=True, kw_only=True):
    """A model and how it did in its test."""

    version: str
    accuracy: float
    interval: tuple[float, float] | None = None
    """In which the accuracy lies with 95 % confidence; None where that is not known."""


class Notice(Value, frozen=True, kw_only=True):
    """What happened, as it is sent; what does not apply has its default."""

    event: Event
    title: str
    """A few words."""
    text: str
    """One line."""
    work: Literal["night", "run", "scan", "extract", "train", "watch", "home"]
    """Of what it tells."""
    time: str
    """ISO 8601, UTC."""
    host: str
    home: str
    version: str
    """chordal's."""
    run_id: str | None = None
    slot: str | None = None
    """When a night was due, ISO 8601, UTC."""
    reason: str = ""
    """Why it failed, or did not run: one line."""
    mend: str = ""
    """What helps, if that is known."""
    tracks: dict[str, int] = {}
    """Files by outcome."""
    model: ModelScore | None = None
    """The model that was made."""
    verdict: str = ""
    """`promoted` or `kept`: whether it became the champion."""
    verdict_reason: str = ""
    champion: str | None = None
    """The champion now."""
    before: ModelScore | None = None
    """The champion that the model was compared with."""
    report: str | None = None
    """The path of the run's report."""


def new_notice(**facts: Any) -> Notice:
    """Return a notice of this host and moment; a long text is cut, as some services take no long one."""
    facts["text"] = textwrap.shorten(facts["text"], TEXT_CHARS, placeholder=" ...")
    return Notice(**{"time": now(), "host": socket.gethostname(), "version": own_version(), **facts})


def split_mend(error: object) -> tuple[str, str]:
    """Return an error's line without its mend, and the mend: most end in `reason; mend`."""
    reason, _, mend = " ".join(str(error).split()).partition("; ")
    return reason or type(error).__name__, mend


def describe_score(score: ModelScore) -> str:
    """Return a model with its accuracy, for people."""
    interval = "" if score.interval is None else f" ({score.interval[0]:.1%} to {score.interval[1]:.1%})"
    return f"{score.version}, accuracy {score.accuracy:.1%}{interval}"
