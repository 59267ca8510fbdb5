"""The supervisor of a service: it starts all processes, waits until they answer, keeps them alive, and stops them."""

import http.client
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from pipeline.clock import now
from pipeline.errors import ChordalError, UsageError
from pipeline.text import printable
from pipeline.wire import Value
from storage.home import home_lock
from workers.app.celery import app, configure
from workers.app.settings import Settings
from workers.broker import health
from workers.broker.address import BrokerAddress
from workers.broker.health import BROKER_ERRORS
from workers.broker.probe import BrokerProbe
from workers.processes import logs, signals
from workers.processes.child import Child
from workers.processes.cluster import LocalCluster, local_cluster, worker
from workers.processes.death import last_line, tail
from workers.schedule import beat
from workers.service import state as service_state
from workers.service.state import Process, Service
from workers.service.upkeep import Upkeep

log = logging.getLogger(__name__)

READY_S = 300.0
"""How long everything together may take to answer for the first time."""
SAID_S = 10.0
"""After how long what has not answered yet is named in the log."""
POLL_S = 0.5


class Page(Value, frozen=True, kw_only=True):
    """Where a page of the service is served."""

    address: str
    port: int
    prefix: str = ""
    """The path that it is served below, as `/flower`; empty for the root."""

    @property
    def url(self) -> str:
        """The page's address for a browser on this host."""
        return f"http://{self.netloc}{self.prefix}" + ("/" if self.prefix else "")

    @property
    def netloc(self) -> str:
        """Host and port for a client on this host."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.address, self.address)  # noqa: S104 - nothing is bound to it
        return f"{f'[{host}]' if ':' in host and '[' not in host else host}:{self.port}"

    def check_free(self, option: str) -> None:
        """Raise `UsageError` when the port is taken."""
        try:
            family = socket.getaddrinfo(self.address, self.port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family[0], socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(family[4])
        except OSError as error:
            raise UsageError(
                f"{option} {self.port} on {printable(self.address)}: {error.strerror}; name another"
            ) from error


class Options(Value, frozen=True, kw_only=True):
    """The options of `chordal up`."""

    broker: BrokerAddress | None = None
    workers: int
    """Processes for each kind of work; 0 for none, where they run on other hosts."""
    flower: Page | None = None
    metrics: Page | None = None


def supervise(home: Path, options: Options) -> None:
    """Be the service of a home until a signal stops it.

    Raises `UsageError` when one is up, a run holds the home or a port is taken, `ChordalError` when something does
    not come up.
    """
    signals.listen()
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        starting = stack.enter_context(ExitStack())
        starting.enter_context(home_lock(home, purpose="starting the service"))
        stack.enter_context(_only_service(home))
        logs.put_aside(home / "logs")
        running = stack.enter_context(local_cluster(home, options.broker, options.workers))
        state = Service(
            host=socket.gethostname(),
            process=Process.of(os.getpid()),
            state="starting",
            broker=running.broker,
            embedded=options.broker is None,
            workers=options.workers,
            flower=options.flower.url if options.flower else None,
            metrics=f"{options.metrics.url}/metrics" if options.metrics else None,
            since=now(),
        )
        stack.callback(_write_state, home, state.replace(state="stopping"), running)
        _bring_up(home, state, options, running)
        starting.close()
        _keep_up(home, state.replace(state="ready"), running)


@contextmanager
def _only_service(home: Path) -> Iterator[None]:
    """Make sure that there is no other service, and that no state file is left afterwards."""
    if (other := service_state.read(home)) is not None:
        if other.alive:
            raise UsageError(f"home {printable(str(home))}: a service is up already (process {other.process.pid})")
        service_state.kill_leftovers(other)
    try:
        yield
    finally:
        service_state.remove(home)


def _bring_up(home: Path, state: Service, options: Options, running: LocalCluster) -> None:
    """Start the processes that a run does not have, and wait until all of them answer.

    Raises `ChordalError` naming one that does not, the reason and its log; `UsageError` where it is misuse, and
    `BrokerError` for the broker.
    """
    running.add(worker(home, running.broker, "conduct", 1))
    running.add(_helper(home, running.broker, "beat"))
    for name, page in (("flower", options.flower), ("metrics", options.metrics)):
        if page is not None:
            page.check_free(f"--{name}-port")
            words = ["--port", str(page.port), "--address", page.address]
            words += ["--flower-prefix", page.prefix] if page.prefix else []
            running.add(_helper(home, running.broker, name, *words))
    _write_state(home, state, running)
    configure(Settings(home=str(home), broker=running.broker), "client")
    deadline = time.monotonic() + READY_S
    pause = threading.Event()
    said_s = time.monotonic() + SAID_S
    while missing := _unanswered(options, running.broker):
        for death in running.deaths():
            raise death.error(f"{death.name}: did not start")
        if time.monotonic() > deadline:
            raise _late_error(missing[0], running)
        if time.monotonic() > said_s:
            said_s = deadline
            log.info("waiting for %s", ", ".join(missing))
        signals.check()
        pause.wait(0.1)


def _late_error(name: str, running: LocalCluster) -> ChordalError:
    """Return the error for what lives and does not answer. Raises `BrokerError` where that is the broker."""
    health.require(running.broker)
    late = f"{name}: did not start within {READY_S:.0f} s"
    for child in running.children:
        if child.name == name:
            said = last_line(tail(child.log))
            late += f"{f' ({said})' if said else ''}; see {printable(str(child.log))}"
    return ChordalError(late)


def _keep_up(home: Path, state: Service, running: LocalCluster) -> None:
    """Keep everything running until a signal stops it, and write down what does not run."""
    _write_state(home, state, running)
    log.info("up: broker %s, %d workers", running.broker.without_password, state.workers)
    pause = threading.Event()
    with BrokerProbe(running.broker, log.warning) as probe:
        upkeep = Upkeep(running, probe, (home / "logs", home / "broker"))
        while True:
            signals.check()
            pause.wait(POLL_S)
            if upkeep.update():
                _write_state(home, state.replace(troubles=upkeep.troubles), running)


def _write_state(home: Path, state: Service, running: LocalCluster) -> None:
    """Write the state file, with the children as they are now."""
    children: dict[str, Process] = {}
    for child in running.children:
        with suppress(psutil.NoSuchProcess):
            if child.pid is not None:
                children[child.name] = Process.of(child.pid)
    service_state.write(home, state.replace(children=children))


def _helper(home: Path, broker: BrokerAddress, name: str, *options: str) -> Child:
    child = Child(name, [name, "--home", str(home), *options, "--end-with-parent"], home / "logs" / f"{name}.log")
    child.environment = {"CHORDAL_BROKER": broker.url}
    return child


def _unanswered(options: Options, broker: BrokerAddress) -> list[str]:
    """Return the names of what does not answer yet."""
    host = socket.gethostname()
    roles = [*(("extract", "learn") if options.workers else ()), "conduct"]
    client = broker.client(timeout_s=2.0, retries=0)
    try:
        nodes = {node for answer in app.control.ping(timeout=0.5) for node in answer}
        missing = [role for role in roles if f"{role}@{host}" not in nodes]
        missing += [] if client.exists(beat.LOCK) else ["beat"]
    except BROKER_ERRORS:
        return ["broker"]
    finally:
        client.close()
    pages = (("flower", options.flower, "/healthcheck"), ("metrics", options.metrics, "/metrics"))
    return missing + [name for name, page, path in pages if page is not None and not _answers(page, path)]


def _answers(page: Page, path: str) -> bool:
    connection = http.client.HTTPConnection(page.netloc, timeout=2.0)
    try:
        connection.request("GET", f"{page.prefix}{path}")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
