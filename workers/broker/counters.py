"""Counts and marks of runs in the broker, where they may be lost: attempts, progress, cancellation.

None of them decides whether work is done; the store does.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, cast

from pipeline.wire import Value

if TYPE_CHECKING:
    import redis

DAY_S = 24 * 3600

OUTCOMES = ("extracted", "unchanged", "failed")
"""What becomes of a file, as a run's progress counts it."""

FAILED = "failed: "
"""How the counts of failures by kind begin in a run's progress."""

TOTALS = "chordal:totals"
"""The key of what all runs together have counted since the broker was started; only its rates matter."""

PACE_S = 60
"""Seconds over which a run's pace is taken."""
SLOT_S = 10


# Before a file and after it a task makes one round trip each: one costs as much as a small commit.
_BEGIN = f"""
if redis.call('EXISTS', KEYS[1]) == 1 then return {{1, 0, 0}} end
local attempt = redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
redis.call('EXPIRE', KEYS[2], {DAY_S})
return {{0, attempt, redis.call('HEXISTS', KEYS[3], ARGV[1])}}
"""

# By the broker's clock, so that those of the hosts need not agree: totals, and the sums of each slot of ten seconds.
_SETTLE = f"""
redis.call('HDEL', KEYS[5], ARGV[1])
if redis.call('HDEL', KEYS[4], ARGV[1]) == 0 then return end
local slot = math.floor(redis.call('TIME')[1] / {SLOT_S})
redis.call('HSETNX', KEYS[1], 'since', redis.call('TIME')[1])
for i = 2, #ARGV, 2 do
  redis.call('HINCRBYFLOAT', KEYS[1], ARGV[i], ARGV[i + 1])
  redis.call('HINCRBYFLOAT', KEYS[3], ARGV[i], ARGV[i + 1])
end
redis.call('HINCRBYFLOAT', KEYS[3], ARGV[2] .. '_audio_s', ARGV[5])
redis.call('EXPIRE', KEYS[1], {DAY_S})
local pace = KEYS[2] .. slot
redis.call('HINCRBYFLOAT', pace, 'files', 1)
redis.call('HINCRBYFLOAT', pace, 'audio_s', ARGV[5])
redis.call('EXPIRE', pace, {2 * PACE_S})
"""


class Pace(Value, frozen=True, kw_only=True):
    """How fast a run extracts, over the last minute or since its first file."""

    files_per_s: float = 0.0
    audio_s_per_s: float = 0.0


class AttemptState(NamedTuple):
    """What is known of the attempts at a file before it is opened."""

    cancelled: bool
    """Whether somebody cancelled the run; then nothing was counted."""
    attempt: int
    """How many attempts at the file this makes."""
    timed_out: bool
    """Whether an attempt at it was ended by the hard time limit."""


class Counters:
    """Counts per run, in the broker's memory; every key lives for a day after its last change."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._begin = client.register_script(_BEGIN)
        self._settle = client.register_script(_SETTLE)

    def begin(self, run_id: str, what: str) -> AttemptState:
        """Count one more attempt at a file, unless its run was cancelled, and return what is known of them."""
        keys = [_cancelled(run_id), _attempts(run_id), _timeouts(run_id)]
        cancelled, attempt, timed_out = cast("list[int]", self._begin(keys=keys, args=[what]))
        return AttemptState(bool(cancelled), attempt, bool(timed_out))

    def attempt(self, run_id: str, what: str) -> int:
        """Count one more attempt at a trial, or a step, and return how many that makes."""
        key = _attempts(run_id)
        attempts = self._client.hincrby(key, what, 1)
        self._client.expire(key, DAY_S)
        return attempts

    def attempts(self, run_id: str, what: str) -> int:
        """Return how many attempts at a file, which is not settled, were counted."""
        return int(cast("str | None", self._client.hget(_attempts(run_id), what)) or 0)

    def time_out(self, run_id: str, what: str) -> None:
        """Remember that an attempt at a file was ended by the hard time limit."""
        key = _timeouts(run_id)
        self._client.hincrby(key, what, 1)
        self._client.expire(key, DAY_S)

    def forget(self, run_id: str, what: str) -> None:
        """Forget the attempts at a file that do not count."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hdel(_attempts(run_id), what)
            pipe.hdel(_timeouts(run_id), what)
            pipe.execute()

    def add(self, run_id: str, **amounts: float) -> None:
        """Add to the run's progress counts."""
        key = _progress(run_id)
        with self._client.pipeline(transaction=False) as pipe:
            for name, amount in amounts.items():
                pipe.hincrbyfloat(key, name, amount)
            pipe.expire(key, DAY_S)
            pipe.execute()

    def restart(self, run_id: str, **outcomes: int) -> None:
        """Count the files of a run anew, from what is known of them: its command begins, perhaps once more."""
        key = _progress(run_id)
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hdel(key, *OUTCOMES)
            for name, count in outcomes.items():
                if count:
                    pipe.hincrbyfloat(key, name, count)
            pipe.expire(key, DAY_S)
            pipe.execute()

    def settle(self, run_id: str, what: str, outcome: str, *, kind: str | None = None, audio_s: float = 0.0) -> None:
        """Count a file that a task has settled, and its failure's kind if it failed; forget the attempts at it.

        Of several deliveries of one task that end at once, the first counts.
        """
        amounts: list[str | float] = [outcome, 1, "audio_s", audio_s]
        if kind is not None:
            amounts += [FAILED + kind, 1]
        keys = [_progress(run_id), _pace(run_id), TOTALS, _attempts(run_id), _timeouts(run_id)]
        self._settle(keys=keys, args=[what, *amounts])

    def pace(self, run_id: str) -> Pace:
        """Return how fast files are settled."""
        now_s = self._client.time()[0]
        since_s = int(cast("str | None", self._client.hget(_progress(run_id), "since")) or now_s)
        slots = range((now_s - PACE_S) // SLOT_S + 1, now_s // SLOT_S + 1)
        with self._client.pipeline(transaction=False) as pipe:
            for slot in slots:
                pipe.hmget(f"{_pace(run_id)}{slot}", "files", "audio_s")
            sums = pipe.execute()
        seconds = max(1, now_s - max(since_s, slots[0] * SLOT_S))
        files, audio_s = (sum(float(each[column] or 0) for each in sums) / seconds for column in (0, 1))
        return Pace(files_per_s=files, audio_s_per_s=audio_s)

    def busy_runs(self) -> list[str]:
        """Return the runs, of every home, of which a file was settled within the last two minutes."""
        keys = cast("Iterator[str]", self._client.scan_iter(f"{_pace('*')}*", count=1000))
        return sorted({key.split(":")[1] for key in keys})

    @staticmethod
    def failures(progress: dict[str, float]) -> dict[str, int]:
        """Return the failures by kind that a run's progress counts hold."""
        return {name.removeprefix(FAILED): int(n) for name, n in sorted(progress.items()) if name.startswith(FAILED)}

    def progress(self, run_id: str) -> dict[str, float]:
        """Return the run's progress counts, for people alone, since they are lost with the broker."""
        counts = cast("dict[str, str]", self._client.hgetall(_progress(run_id)))
        return {name: float(amount) for name, amount in counts.items()}

    def totals(self) -> dict[str, float]:
        """Return what all runs have counted since the broker was started, by the names of a run's progress."""
        counts = cast("dict[str, str]", self._client.hgetall(TOTALS))
        return {name: float(amount) for name, amount in counts.items()}

    def cancel(self, run_id: str) -> None:
        """Mark a run as cancelled: its tasks then return without doing anything."""
        self._client.set(_cancelled(run_id), "1", ex=DAY_S)

    def is_cancelled(self, run_id: str) -> bool:
        """Return whether somebody cancelled the run."""
        return bool(self._client.exists(_cancelled(run_id)))

    def stop(self, run_id: str, reason: str) -> None:
        """Cancel a run that cannot go on, and leave the reason for the command that waits for it."""
        self._client.set(f"chordal:{run_id}:stopped", reason, ex=DAY_S)
        self.cancel(run_id)

    def stop_reason(self, run_id: str) -> str | None:
        """Return why a task stopped the run, if one did."""
        return cast("str | None", self._client.get(f"chordal:{run_id}:stopped"))

    def add_trouble(self, run_id: str, line: str) -> None:
        """Add a line about a task that failed for good; the last twenty are kept."""
        key = f"chordal:{run_id}:trouble"
        with self._client.pipeline(transaction=False) as pipe:
            pipe.lpush(key, line)
            pipe.ltrim(key, 0, 19)
            pipe.expire(key, DAY_S)
            pipe.execute()

    def troubles(self, run_id: str) -> list[str]:
        """Return the lines about tasks that failed for good, newest first."""
        return cast("list[str]", self._client.lrange(f"chordal:{run_id}:trouble", 0, -1))


def _progress(run_id: str) -> str:
    return f"chordal:{run_id}:progress"


def _attempts(run_id: str) -> str:
    return f"chordal:{run_id}:attempts"


def _timeouts(run_id: str) -> str:
    return f"chordal:{run_id}:timeouts"


def _cancelled(run_id: str) -> str:
    return f"chordal:{run_id}:cancelled"


def _pace(run_id: str) -> str:
    return f"chordal:{run_id}:pace:"
