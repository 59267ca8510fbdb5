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
from workers.processes.death import Death
from workers.processes.environment import prepare_process
from workers.processes.host_limits import require_for_workers

BROKER = "broker"
"""The name of the child that keeps the embedded broker."""
UNREADY_DEATHS = 2
"""How often in a row a process may die the same way before it was ever ready; once may be bad luck."""

START_S = 20.0
GRACE_S = 5.0
"""A broker's guard has a server of its own to stop."""


class LocalCluster:
    """The child processes of one run."""

    def __init__(self, broker: BrokerAddress, children: list[Child], workers: list[Child]) -> None:
        self.broker = broker
        self._children = children
        self._workers = workers
        self._unready: dict[str, tuple[int, Death]] = {}
        """By name: how often in a row a child died the same way before it was ready, and the last such death."""

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

    @property
    def has_own_broker(self) -> bool:
        """Whether the broker is a private server of this cluster."""
        return any(child.name == BROKER for child in self._children)

    def deaths(self) -> list[Death]:
        """Return how the children ended that are dead."""
        return [death for child in self._children if (death := child.death) is not None]

    def restart(self, deaths: Iterable[Death]) -> None:
        """Start again those that died."""
        names = {death.name for death in deaths}
        for child in self._children:
            if child.name in names:
                child.stop(within_s=0)
                child.start()

    def renew(self, name: str) -> None:
        """Start a child anew that lives, where there is one of that name."""
        for child in self._children:
            if child.name == name:
                child.stop(within_s=GRACE_S)
                child.start()

    def heal(self, *, broker_only: bool = False) -> list[Death]:
        """Start again every child that died, or the embedded broker alone; return how they did.

        Raises `ChordalError` with the reason, `UsageError` where it is misuse, for one that cannot start: it died
        twice in a row, the same way, before it was ready.
        """
        deaths = [death for death in self.deaths() if not broker_only or death.name == BROKER]
        for death in deaths:
            self._require_hope(death)
        self.restart(deaths)
        return deaths

    def _require_hope(self, death: Death) -> None:
        times, last = self._unready.pop(death.name, (0, None))
        # A broker that is away for a moment is no reason; whoever waits says what it is.
        if death.was_ready or death.is_of_broker:
            return
        times = times + 1 if death.resembles(last) else 1
        if times >= UNREADY_DEATHS:
            raise death.error(f"its processes keep dying, the {death.name} process before it was ever ready")
        self._unready[death.name] = (times, death)

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
    guard = Child(BROKER, embedded.guard_arguments(data, socket), log, program=program).start()
    address = BrokerAddress.socket(socket)

    def reason() -> str:
        return death.reason if (death := guard.death) is not None else ""

    try:
        embedded.wait_until_up(address, within_s=START_S, log=log, death=reason)
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
