"""The metrics of a home for Prometheus, computed at each scrape from the broker and the ledger, not from the store."""

import logging
import signal
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.errors import UsageError
from pipeline.text import printable
from storage.home import Home
from workers.broker.address import BrokerAddress
from workers.service.broker_figures import BrokerFigures
from workers.service.figures import Figures, Samples
from workers.service.home_figures import HomeFigures
from workers.service.run_figures import RunFigures

log = logging.getLogger(__name__)


class Family(NamedTuple):
    """A metric: what it says, and the names of its labels."""

    text: str
    labels: tuple[str, ...] = ()
    is_counter: bool = False


FAMILIES: Mapping[str, Family] = {
    "info": Family("The version that answers.", ("version",)),
    "source_up": Family("Whether all of a source could be read.", ("source",)),
    "metric_errors": Family("Whether a figure could not be had at this scrape; the others stand.", ("name",)),
    # of the broker
    "broker_up": Family("Whether the broker answers, and does all that work needs."),
    "broker_memory_bytes": Family("What the broker holds."),
    "broker_memory_limit_bytes": Family("What the broker may hold; missing where it has no limit."),
    "tracks": Family("Files settled since the broker was started, by outcome.", ("outcome",), is_counter=True),
    "track_failures": Family(
        "Files without features since the broker was started, by kind.", ("kind",), is_counter=True
    ),
    "audio_seconds": Family(
        "Seconds of audio extracted since the broker was started; its rate is how many times real time.",
        is_counter=True,
    ),
    "queue_depth": Family("Tasks that wait.", ("queue",)),
    "queue_workers": Family("Workers that live and take tasks of a queue.", ("queue",)),
    "worker_up": Family("Whether a worker lives; one that fell silent is listed for an hour.", ("worker",)),
    "tasks_unacknowledged": Family("Tasks of runs that are with a worker."),
    # of runs
    "runs": Family("Runs in the ledger."),
    "run_info": Family("The newest run and its stage.", ("run", "recipe", "stage")),
    "run_shards": Family("Shards of the newest run, by state.", ("state",)),
    "run_trials": Family("Trials of the newest run, by state.", ("state",)),
    "run_active": Family("Whether the command of a run lives.", ("run",)),
    "run_stage": Family("The stage of the newest run and of those that go on.", ("run", "stage")),
    "run_files": Family("Files that the scan of a run has found.", ("run",)),
    "run_files_settled": Family("Files of a run that are done with, by outcome.", ("run", "outcome")),
    "run_settled_ratio": Family("Share of a run's files that are done with, 0 to 1.", ("run",)),
    "run_failed_ratio": Family("Share of a run's settled files that have no features, 0 to 1.", ("run",)),
    "run_files_per_second": Family("Files that a run settles, over the last minute.", ("run",)),
    "run_remaining_seconds": Family(
        "How long the extraction of a run takes still at the rate of the last minute; missing where it stands.",
        ("run",),
    ),
    "run_trials_planned": Family("Trials of a run's study.", ("run",)),
    "run_trials_ended": Family("Trials of a run that have an outcome.", ("run",)),
    # of nights and models
    "nightly_scheduled": Family("Whether nights are scheduled."),
    "nightly_next_timestamp_seconds": Family("When the next night is due."),
    "nightly_overdue_seconds": Family("How long ago the last night was due that has no result; 0 where none is."),
    "nightly_running": Family("Whether a night's run goes on."),
    "nightly_last_timestamp_seconds": Family("When the last night ended."),
    "nightly_last_success": Family("Whether it finished."),
    "nightly_last_outcome": Family("How the last night ended, skipped ones counted: 1 for one state.", ("state",)),
    "nightly_last_success_timestamp_seconds": Family("When the last night that finished ended."),
    "nightly_last_duration_seconds": Family("How long it took."),
    "nightly_last_promoted": Family("Whether its model became the champion."),
    "nightly_last_test_accuracy": Family("Its model's, 0 to 1."),
    "champion_info": Family("The champion, and how it became it.", ("version", "action")),
    "champion_since_timestamp_seconds": Family("Since when it is the champion."),
    "champion_changes": Family("Entries in the history of champions."),
    # of this host
    "service_process_up": Family("Whether a process of the service of this home lives.", ("name",)),
    "service_process_start_time_seconds": Family("When a process of the service began.", ("name",)),
    "home_free_bytes": Family("Free space where the home is."),
    "home_size_bytes": Family("All space where the home is."),
    "home_free_files": Family("Files that may still be made where the home is."),
    "home_size_files": Family("Files that there may be where the home is."),
}
"""Every metric by its name, which `chordal_` goes before and, for a counter, `_total` after."""


SOURCES = ("broker", "ledger", "nights", "champion")
"""What figures are read from, but for what this host says of itself."""


class HomeCollector(Collector):
    """The metrics of one home. The cost of a scrape does not grow with the tracks in it."""

    def __init__(self, home: Home, broker: BrokerAddress) -> None:
        self._broker = BrokerFigures(broker)
        self._figures: tuple[Figures, ...] = (self._broker, RunFigures(home, self._broker.counters), HomeFigures(home))
        self._known: set[str] = set()

    def describe(self) -> list[Metric]:
        """Return nothing: nothing is computed before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; a figure that cannot be had is left out, and `chordal_metric_errors` names it."""
        samples: dict[str, Samples] = defaultdict(list)
        reasons: dict[tuple[str, str], str | None] = {}
        silence = self._broker.silence()
        for figures in self._figures:
            for source, name, read in figures.all():
                # Prometheus does not wait for long.
                reasons[source, name] = silence if silence and source == "broker" else _read(read, samples)
        self._log(reasons)
        failed = {source for (source, _), reason in reasons.items() if reason is not None}
        unsent = self._broker.has_rabbitmq and reasons["broker", "queue_depth"] is not None
        samples["broker_up"] = [({}, silence is None and not unsent and self._broker.is_usable())]
        samples["source_up"] = [({"source": source}, source not in failed) for source in SOURCES]
        samples["metric_errors"] = [({"name": name}, reason is not None) for (_, name), reason in reasons.items()]
        for name, found in samples.items():
            yield _metric(name, found)

    def _log(self, reasons: Mapping[tuple[str, str], str | None]) -> None:
        """Log why figures cannot be had, once for as long as that lasts."""
        errors = {name: reason for (_, name), reason in reasons.items() if reason is not None}
        for name in errors.keys() - self._known:
            log.warning("%s: %s", name, errors[name])
        self._known = set(errors)


def _read(read: Callable[[], Iterator[tuple[str, Samples]]], samples: dict[str, Samples]) -> str | None:
    """Read a figure into samples, all that can be had of it; return why the rest could not."""
    try:
        for name, more in read():
            samples[name] += more
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one figure, the others are wanted all the more
        return f"{type(error).__name__}: {error}"
    return None


def _metric(name: str, samples: Samples) -> Metric:
    family = FAMILIES[name]
    kind = CounterMetricFamily if family.is_counter else GaugeMetricFamily
    metric = kind(f"chordal_{name}", family.text, labels=family.labels)
    for labels, value in samples:
        metric.add_metric([labels[label] for label in family.labels], float(value))
    return metric


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
