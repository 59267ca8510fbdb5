"""The metrics of a home for Prometheus, computed at each scrape from the broker and the ledger, not from the store."""

import logging
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import get_args

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.errors import ChordalError, FailureKind, UsageError
from pipeline.text import printable
from pipeline.versions import own_version
from storage.home import Home
from workers.app.context import queues_of
from workers.app.settings import QUEUES, SCHEDULE
from workers.broker.address import BrokerAddress
from workers.broker.counters import FAILED, Counters
from workers.broker.health import BROKER_ERRORS
from workers.runs.state import RunState
from workers.schedule.cron import slot_after
from workers.schedule.nights import Nights

log = logging.getLogger(__name__)


class HomeCollector(Collector):
    """The metrics of one home. The cost of a scrape does not grow with the tracks in it."""

    def __init__(self, home: Home, broker: BrokerAddress) -> None:
        self._home = home
        self._nights = Nights(home.path)
        self._client = broker.client(timeout_s=2.0, retries=0)
        self._counters = Counters(self._client)
        self._queues = queues_of(broker, self._client)
        self._outcomes: dict[tuple[str, int], str] = {}

    def describe(self) -> list[Metric]:
        """Return nothing: nothing is computed before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; those of a source that does not answer are left out, and `chordal_source_up` says so."""
        yield _gauge("info", "The version that answers.", [({"version": own_version()}, 1)])
        answered: dict[str, bool] = {}
        sources: dict[str, Callable[[], Iterable[Metric]]] = {
            "broker": self._broker,
            "ledger": self._run,
            "nights": self._nightly,
            "champion": self._champion,
        }
        for name, source in sources.items():
            try:
                metrics = list(source())
            except (ChordalError, *BROKER_ERRORS) as error:
                log.warning("%s: %s", name, error)
                metrics = []
                answered[name] = False
            else:
                answered[name] = True
            yield from metrics
        yield _gauge(
            "source_up", "Whether a source answered.", [({"source": name}, up) for name, up in answered.items()]
        )

    def _broker(self) -> Iterator[Metric]:
        totals = self._counters.totals()
        yield _counter(
            "tracks",
            "Files settled since the broker was started, by outcome.",
            [({"outcome": name}, totals.get(name, 0)) for name in ("extracted", "unchanged", "failed")],
        )
        yield _counter(
            "track_failures",
            "Files without features since the broker was started, by kind.",
            [({"kind": kind}, totals.get(FAILED + kind, 0)) for kind in get_args(FailureKind)],
        )
        yield _counter(
            "audio_seconds",
            "Seconds of audio extracted since the broker was started; its rate is how many times real time.",
            [({}, totals.get("extracted_audio_s", 0))],
        )
        depths, unacknowledged = self._queues.depths((*QUEUES, SCHEDULE)), self._queues.unacknowledged()
        yield _gauge("queue_depth", "Tasks that wait.", [({"queue": name}, depth) for name, depth in depths.items()])
        yield _gauge("tasks_unacknowledged", "Tasks of runs that are with a worker.", [({}, unacknowledged)])
        memory = self._client.info("memory")["used_memory"]
        yield _gauge("broker_memory_bytes", "What the broker holds.", [({}, memory)])

    def _run(self) -> Iterator[Metric]:
        ledger = self._home.ledger
        runs = ledger.run_ids()
        yield _gauge("runs", "Runs in the ledger.", [({}, len(runs))])
        if not runs:
            return
        run_id = runs[-1]
        state = RunState.read(self._home, run_id)
        labels = {"run": run_id, "recipe": state.plan.recipe.name, "stage": state.stage}
        yield _gauge("run_info", "The newest run and its stage.", [(labels, 1)])
        sealed = len(state.sealed)
        yield _gauge(
            "run_shards",
            "Shards of the newest run, by state.",
            [({"state": "sealed"}, sealed), ({"state": "open"}, state.shards_written - sealed)],
        )
        states = Counter(self._state(run_id, index) for index in state.ended_trials)
        counts = {
            **{name: states[name] for name in ("completed", "failed", "skipped")},
            "open": len(state.trials or ()) - states.total(),
        }
        yield _gauge(
            "run_trials", "Trials of the newest run, by state.", [({"state": name}, n) for name, n in counts.items()]
        )

    def _state(self, run_id: str, index: int) -> str:
        """Return how a trial ended; an outcome never changes, so each is read once."""
        known = self._outcomes.get((run_id, index))
        if known is None:
            outcome = self._home.ledger.outcome(run_id, index)
            known = self._outcomes[run_id, index] = "open" if outcome is None else outcome.state
        return known

    def _nightly(self) -> Iterator[Metric]:
        schedule = self._nights.schedule()
        if schedule is not None and schedule.nightly is not None:
            following = slot_after(schedule.nightly, schedule.timezone, datetime.now(UTC))
            yield _gauge("nightly_next_timestamp_seconds", "When the next night is due.", [({}, following.timestamp())])
        last = next((result for result in self._nights.results(last=10) if result.state != "skipped"), None)
        if last is None:
            return
        ended = datetime.fromisoformat(last.ended)
        yield _gauge("nightly_last_timestamp_seconds", "When the last night ended.", [({}, ended.timestamp())])
        yield _gauge("nightly_last_success", "Whether it finished.", [({}, last.state == "finished")])
        if last.started is not None:
            seconds = (ended - datetime.fromisoformat(last.started)).total_seconds()
            yield _gauge("nightly_last_duration_seconds", "How long it took.", [({}, seconds)])
        if last.verdict:
            promoted = last.verdict == "promoted"
            yield _gauge("nightly_last_promoted", "Whether its model became the champion.", [({}, promoted)])
        if last.test_accuracy is not None:
            yield _gauge("nightly_last_test_accuracy", "Its model's, 0 to 1.", [({}, last.test_accuracy)])

    def _champion(self) -> Iterator[Metric]:
        """Tell the champion; an entry never changes, and only the newest is read."""
        champion = self._home.champions.current()
        if champion is None:
            return
        labels = {"version": champion.version, "action": champion.action}
        yield _gauge("champion_info", "The champion, and how it became it.", [(labels, 1)])
        since = datetime.fromisoformat(champion.at).timestamp()
        yield _gauge("champion_since_timestamp_seconds", "Since when it is the champion.", [({}, since)])
        yield _gauge("champion_changes", "Entries in the history of champions.", [({}, champion.number)])


Samples = list[tuple[dict[str, str], float]]


def _gauge(name: str, text: str, samples: Samples) -> Metric:
    return _fill(GaugeMetricFamily(f"chordal_{name}", text, labels=list(samples[0][0]) if samples else []), samples)


def _counter(name: str, text: str, samples: Samples) -> Metric:
    return _fill(CounterMetricFamily(f"chordal_{name}", text, labels=list(samples[0][0])), samples)


def _fill(family: GaugeMetricFamily | CounterMetricFamily, samples: Samples) -> Metric:
    for labels, value in samples:
        family.add_metric(list(labels.values()), float(value))
    return family


def serve(home: Home, broker: BrokerAddress, *, address: str, port: int) -> None:
    """Answer Prometheus on `/metrics` until told to stop.

    Raises `UsageError` when the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(HomeCollector(home, broker))
    try:
        start_http_server(port, addr=address, registry=registry)
    except OSError as error:
        raise UsageError(f"metrics port {port} on {printable(address)}: {error.strerror}; name another") from error
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
