"""The headers of a message: the sender's version, and the run the message belongs to."""

from functools import cache
from typing import Any

from celery.signals import before_task_publish

from pipeline.versions import own_version

HEADER = "chordal"
"""The header of each message that holds the sender's version."""


RUN_HEADER = "chordal_run"
"""The header of each message of a run that holds the run's id."""


@cache
def mine() -> str:
    """Return this chordal's version."""
    return own_version()


@before_task_publish.connect
def _stamp(headers: dict[str, Any] | None = None, body: Any = None, **_: Any) -> None:
    if headers is None:
        return
    headers[HEADER] = mine()
    args, kwargs, *_rest = body
    first = args[0] if args and isinstance(args[0], dict) else {}
    run_id = kwargs.get("run_id") or first.get("run_id")
    if run_id is not None:
        headers[RUN_HEADER] = run_id
