"""The broker and the workers of one run: started for it, kept alive, and stopped with it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from workers.app.settings import QUEUES, SCHEDULE
from workers.broker import embedded
from workers.broker import guard as broker_guard
from workers.broker.address import BrokerAddress
from workers.processes.child import Child
from workers.processes.environment import prepare_process
from workers.processes.host_limits import require_for_workers

START_S = 20.0
GRACE_S = 5.0
"""A broker's guard has a server of its own to stop."""


class LocalCluster:
    """The child processes of one run."""

    def __init__(self, broker: BrokerAddress, children: list[Child], workers: list[Child]) -> None:
        self.broker = broker
        self._children = children
        self._workers = workers

    @property
    def has_workers(self) -> bool:
        """Whether this run started workers of its own."""
        return bool(self._workers)

    @property
    def children(self) -> tuple[Child, ...]:
        """All that were started, broker first."""
        return tuple(self._children)

    def add(self, child: Child) -> None:
        """Start a child and keep it alive with the others."""
        self._children.append(child.start())
        self._workers.append(child)

    def heal(self) -> list[str]:
        """Start again every child that died; return their names."""
        dead = [child for child in self._children if not child.alive]
        for child in dead:
            child.stop(within_s=0)
            child.start()
        return [child.name for child in dead]

    def finish(self) -> None:
        """Let the workers of files end after their current files; a training is not waited for."""
        for child in self._workers:
            if child.name == "extract":
                child.finish()
            else:
                child.stop(within_s=0)

    @property
    def has_live_workers(self) -> bool:
        """Whether a worker has not ended yet, after `finish`."""
        return any(child.alive for child in self._workers)

    def stop(self) -> None:
        """Stop the workers first, then the broker."""
        for child in self._workers:
            child.request_end()
        for child in reversed(self._children):
            child.stop(within_s=GRACE_S)


@contextmanager
def local_cluster(
    home: Path,
    broker: BrokerAddress | None,
    workers: int | None,
    *,
    roles: Iterable[str] = ("extract", "learn"),
    families: Sequence[str] = (),
    files: int | None = None,
) -> Iterator[LocalCluster]:
    """Start what a run needs beside the given broker, or an embedded one; stop it at the end.

    With a broker of the user's, which `health.require_for_run` has checked before, workers are started only when
    their number is given. For one run, `families` are the feature families it needs and `files` how many files it has
    at most: workers of its own load no more than that, and have no more processes. Raises `UsageError` for a host that
    can have no pool of processes, `BrokerError` when the embedded broker does not answer.
    """
    with ExitStack() as stack:
        if broker is None or workers:
            require_for_workers(workers)
        prepare_process(home)
        children: list[Child] = []
        if broker is None:
            broker, guard = _embedded(home)
            stack.callback(guard.stop, within_s=GRACE_S)
            children.append(guard)
            workers = (os.cpu_count() or 1) if workers is None else workers
        else:
            families, files = (), None  # other runs may use these workers
        processes = workers or 0
        per_role = {"extract": processes if files is None else min(processes, max(files, 1))}
        started = [
            worker(home, broker, role, per_role.get(role, processes), families).start()
            for role in (roles if processes else ())
        ]
        cluster = LocalCluster(broker, [*children, *started], started)
        stack.callback(cluster.stop)
        yield cluster


def _embedded(home: Path) -> tuple[BrokerAddress, Child]:
    data = home / "broker"
    embedded.clean(data)
    socket = embedded.socket_path(data)
    log = home / "logs" / "broker.log"
    # By its file, and without a search for installed packages: it starts at once.
    program = ("-P", "-S", str(broker_guard.__file__))
    guard = Child("broker", embedded.guard_arguments(data, socket), log, program=program).start()
    address = BrokerAddress.socket(socket)
    try:
        embedded.wait_until_up(address, within_s=START_S, log=log)
    except BaseException:
        guard.stop(within_s=GRACE_S)
        raise
    return address, guard


def worker(home: Path, broker: BrokerAddress, role: str, processes: int, families: Sequence[str] = ()) -> Child:
    """Return a worker for the queues of a role: extract, learn or conduct."""
    queues = ",".join({"extract": QUEUES[:2], "learn": QUEUES[2:], "conduct": (SCHEDULE,)}[role])
    options = ["--home", str(home), "--queues", queues, "--concurrency", str(processes)]
    if families and role == "extract":
        options += ["--families", ",".join(families)]
    # The role stands second to last: whoever looks for a worker among the processes finds it there.
    child = Child(role, ["worker", *options, "--name", role, "--end-with-parent"], home / "logs" / f"{role}.log")
    child.environment = {"CHORDAL_BROKER": broker.url}  # not on the command line, where every user could read it
    return child
