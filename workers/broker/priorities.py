"""Which run's tasks go first where several runs share workers.

The Redis transport keeps a list per queue and priority, and takes from the first that is not empty; 0 goes first. A
chord's body is one step ahead of its files or trials: else shards would wait unsealed until no file is left.
"""

from pipeline.plans.run import Priority

STEPS = (0, 3, 6, 9)
"""The priorities there are; kombu's own, which Flower knows too."""

_AHEAD = {"high": 0, "normal": 3, "low": 6}


def of_bodies(priority: Priority) -> int:
    """Return the priority of what joins the tasks of a run."""
    return _AHEAD[priority]


def of_headers(priority: Priority) -> int:
    """Return the priority of a run's files and trials."""
    return _AHEAD[priority] + 3


def key_of(queue: str, step: int) -> str:
    """Return where the Redis transport keeps the messages of a queue that have a priority."""
    return f"{queue}\x06\x16{step}" if step else queue
