"""The settings of a process of chordal, gathered once at the command line."""

from typing import Literal

from pipeline.wire import Value
from workers.app.path_map import PathMap
from workers.broker import names
from workers.broker.address import BrokerAddress

QUEUES = names.QUEUES
SCHEDULE = names.SCHEDULE

BACKOFF_S = 30
"""The longest pause before a task is tried again."""

Role = Literal["extract", "learn", "conduct", "client"]


class Settings(Value, frozen=True, kw_only=True):
    """What a worker, or the command that waits for it, works with."""

    home: str
    """Folder of the store, the runs, the models and the logs; shared by all hosts of a cluster."""
    broker: BrokerAddress
    extract_limit_s: int = 600
    """Hard limit of one file. A soft limit could not interrupt a decoder written in C."""
    learn_limit_s: int = 6 * 3600
    """Hard limit of one trial or final training."""
    conduct_limit_s: int = 7 * 24 * 3600
    """Hard limit of a nightly run, which may be the first one over a large library."""
    attempts: int = 3
    """How often a file or a trial may end its worker's process before that is recorded as its failure."""
    maps: tuple[PathMap, ...] = ()
    """Where libraries lie on this host, if not where the scanning host saw them."""
