"""The queues in a Redis broker: what waits in them, what is held unacknowledged, and how a run is taken out."""

import base64
from typing import Any

PAGE = 500
"""Messages looked at in one go."""


def is_of_run(message: dict[str, Any], run_id: str) -> bool:
    """Tell whether a message, as kombu keeps it, is a task of a run; every task has its run's id in its arguments."""
    return run_id.encode("ascii") in base64.b64decode(message["body"])
