"""The headers of a message: the sender's version, and the run the message belongs to."""

from typing import Any

from pipeline.versions import own_version

HEADER = "chordal"
"""The header of each message that holds the sender's version."""


RUN_HEADER = "chordal_run"
"""The header of each message of a run that holds the run's id."""


def stamp(headers: dict[str, Any], body: Any) -> None:
    """Write the headers of a message; `body` is that of Celery's protocol: arguments, keyword arguments, options."""
    headers[HEADER] = own_version()
    args, kwargs, *_ = body
    first = args[0] if args and isinstance(args[0], dict) else {}
    run_id = kwargs.get("run_id") or first.get("run_id")
    if run_id is not None:
        headers[RUN_HEADER] = run_id
