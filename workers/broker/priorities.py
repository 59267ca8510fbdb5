"""Which run's tasks go first where several runs share workers.

The Redis transport keeps a list per queue and priority, and takes from the first that is not empty; 0 goes first. A
chord's body is one step ahead of its files or trials: else shards would wait unsealed until no file is left.
"""

from pipeline.plans.run import Priority

STEPS = (0, 3, 6, 9)
"""The priorities there are; kombu's own, which Flower knows too."""

_AHEAD = {"high": 0, "normal": 3, "low": 6}


def body_priority(priority: Priority) -> int:
    """Return the priority of the bodies of a run's chords."""
    return _AHEAD[priority]


def header_priority(priority: Priority) -> int:
    """Return the priority of a run's files and trials, the headers of its chords."""
    return _AHEAD[priority] + 3


def queue_key(queue: str, step: int) -> str:
    """Return the key at which the Redis transport keeps a queue's messages of one priority."""
    return f"{queue}\x06\x16{step}" if step else queue
