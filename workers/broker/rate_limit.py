"""A limit on files per minute that holds over all hosts, kept in the broker.

A worker asks for leave before it takes a file's task from the queue, so that nothing waits in a worker that others
could take, and workers that join or go change nothing about the limit. Celery's own rate limit is per worker, and keeps
the tasks that wait inside the worker, where they block its other queues and are delivered again when that takes long.
"""

from typing import cast

import redis

KEY = "chordal:cap"

SLACK_MS = 3_000
"""How much leave may be saved up: for the second that may pass before a worker reads a queue it opened again."""

# The generic cell rate algorithm, by the broker's clock: hosts need not agree on the time. `due` is when the next file
# would be due if each were taken at its time; one far ahead is left from a lower limit or from a clock set back.
_ACQUIRE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local each, slack = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = math.min(tonumber(redis.call('GET', KEYS[1]) or 0), now + each + slack)
if due - slack > now then return math.ceil(due - slack - now) end
redis.call('SET', KEYS[1], math.max(now, due) + each, 'PX', math.ceil(2 * (each + slack)))
return 0
"""


class RateLimit:
    """The leave to start files, shared by all workers of a broker."""

    def __init__(self, client: redis.Redis) -> None:
        self._script = client.register_script(_ACQUIRE)

    def acquire(self, files_per_minute: int) -> float:
        """Take leave for one file; return 0.0 when it was given, else the seconds until it may be asked for again."""
        waiting_ms = cast("int", self._script(keys=[KEY], args=[60_000 / files_per_minute, SLACK_MS]))
        return waiting_ms / 1000
