"""Small facts kept in the broker because they may be lost: attempts, progress for the eye, the wish to cancel.

None of them decides whether work is done; the store does.
"""

from typing import cast

import redis

DAY_S = 24 * 3600


class Counters:
    """Counts per run, in the broker's memory; every key lives for a day after its last change."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def attempt(self, run_id: str, what: str) -> int:
        """Count one more attempt at a file or trial and return how many that makes."""
        key = f"chordal:{run_id}:attempts"
        attempts = self._client.hincrby(key, what, 1)
        self._client.expire(key, DAY_S)
        return attempts

    def time_out(self, run_id: str, what: str) -> None:
        """Remember that an attempt at a file was ended by the hard time limit."""
        key = f"chordal:{run_id}:timeouts"
        self._client.hincrby(key, what, 1)
        self._client.expire(key, DAY_S)

    def timed_out(self, run_id: str, what: str) -> bool:
        """Tell whether an attempt at a file was ended by the hard time limit."""
        return bool(self._client.hexists(f"chordal:{run_id}:timeouts", what))

    def settled(self, run_id: str, what: str) -> None:
        """Forget the attempts at something that has ended."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hdel(f"chordal:{run_id}:attempts", what)
            pipe.hdel(f"chordal:{run_id}:timeouts", what)
            pipe.execute()

    def add(self, run_id: str, **amounts: float) -> None:
        """Add to the run's progress counts."""
        key = f"chordal:{run_id}:progress"
        with self._client.pipeline(transaction=False) as pipe:
            for name, amount in amounts.items():
                pipe.hincrbyfloat(key, name, amount)
            pipe.expire(key, DAY_S)
            pipe.execute()

    def progress(self, run_id: str) -> dict[str, float]:
        """Return the run's progress counts; a redelivered task may have counted twice here."""
        found = cast("dict[str, str]", self._client.hgetall(f"chordal:{run_id}:progress"))
        return {name: float(amount) for name, amount in found.items()}

    def cancel(self, run_id: str) -> None:
        """Ask the run's tasks to return without doing anything."""
        self._client.set(f"chordal:{run_id}:cancelled", "1", ex=DAY_S)

    def cancelled(self, run_id: str) -> bool:
        """Tell whether somebody cancelled the run."""
        return bool(self._client.exists(f"chordal:{run_id}:cancelled"))

    def stop(self, run_id: str, reason: str) -> None:
        """Cancel a run that cannot go on, and say why to the command that waits for it."""
        self._client.set(f"chordal:{run_id}:stopped", reason, ex=DAY_S)
        self.cancel(run_id)

    def stopped(self, run_id: str) -> str | None:
        """Return why a task stopped the run, if one did."""
        return cast("str | None", self._client.get(f"chordal:{run_id}:stopped"))

    def trouble(self, run_id: str, line: str) -> None:
        """Leave a line about a task that failed for good; the last twenty are kept."""
        key = f"chordal:{run_id}:trouble"
        with self._client.pipeline(transaction=False) as pipe:
            pipe.lpush(key, line)
            pipe.ltrim(key, 0, 19)
            pipe.expire(key, DAY_S)
            pipe.execute()

    def troubles(self, run_id: str) -> list[str]:
        """Return the lines about tasks that failed for good, newest first."""
        return cast("list[str]", self._client.lrange(f"chordal:{run_id}:trouble", 0, -1))

    def queued(self, queues: tuple[str, ...]) -> int:
        """Return how many messages wait in the queues or are with a worker, unacknowledged."""
        with self._client.pipeline(transaction=False) as pipe:
            for queue in queues:
                pipe.llen(queue)
            pipe.hlen("unacked")
            pipe.hlen("unacked-learn")
            return int(sum(pipe.execute()))

    def forget_unacknowledged(self) -> None:
        """Drop the messages a dead worker held; the sweep publishes what is missing."""
        self._client.delete("unacked", "unacked_index", "unacked-learn", "unacked-learn-index")
