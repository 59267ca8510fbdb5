"""The state file of a home's service: whether one is up, where its broker and its pages are.

`service.json` is readable by its owner alone, since a broker's address may hold a password.
"""

import json
import os
import signal
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import BrokerError, UsageError
from pipeline.text import printable
from pipeline.wire import Value
from workers.broker.address import BrokerAddress

if TYPE_CHECKING:
    import psutil

STATE = "service.json"

DOWN_S = 40.0
"""How long a service may take to stop by itself before it is killed."""


class Process(Value, frozen=True, kw_only=True):
    """A process, distinguished from a later one with the same id."""

    pid: int
    began: float
    """When it began, in seconds since 1970, by the system's clock."""

    @classmethod
    def of(cls, pid: int) -> "Process":
        """Return the process with an id. Raises `psutil.NoSuchProcess`."""
        import psutil

        return cls(pid=pid, began=psutil.Process(pid).create_time())

    def find(self) -> "psutil.Process | None":
        """Return the process, or None when it has ended."""
        import psutil

        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.began) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return process if same else None


class Service(Value, frozen=True, kw_only=True):
    """A service, as stored in `service.json`."""

    host: str
    process: Process
    """The supervisor."""
    state: Literal["starting", "ready", "stopping"]
    broker: BrokerAddress
    embedded: bool
    """Whether the broker is a private server of the service."""
    workers: int
    flower: str | None = None
    """The address of its page."""
    metrics: str | None = None
    children: dict[str, Process] = {}
    since: str
    """ISO 8601, UTC."""
    troubles: dict[str, str] = {}
    """What does not work at this moment, a line each, by the name of the child, or `broker`; empty when all is well."""

    @property
    def is_local(self) -> bool:
        """Whether it runs on this host."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether its supervisor lives; on another host, where that cannot be checked, it is taken to."""
        return not self.is_local or self.process.find() is not None


def summary(service: Service) -> dict[str, Any]:
    """Return what `chordal status` says of a home's service; one that was killed has the state `died`."""
    pages = {name: page for name, page in (("flower", service.flower), ("metrics", service.metrics)) if page}
    return {
        "state": service.state if service.alive else "died",
        "host": service.host,
        "process": service.process.pid,
        "since": service.since,
        "workers": service.workers,
        **pages,
        **({"troubles": service.troubles} if service.troubles else {}),
    }


def write(home: Path, service: Service) -> None:
    """Write the state of a service, readable by its owner alone."""
    number, name = tempfile.mkstemp(prefix=".service-", dir=home)  # with mode 0600
    with os.fdopen(number, "w") as file:
        json.dump(service.to_wire(), file)
    Path(name).replace(home / STATE)


def remove(home: Path) -> None:
    """Remove the state of a service."""
    (home / STATE).unlink(missing_ok=True)


def read(home: Path) -> Service | None:
    """Return the service in the state file, or None when there is none or it is of another version."""
    try:
        return load(home)
    except (OSError, ValueError):  # UsageError is a ValueError
        return None


def load(home: Path) -> Service | None:
    """Return the service in the state file, or None when there is none.

    Raises `OSError` when the file cannot be read, as another user's, `ValueError` when it is of another version.
    """
    try:
        return Service.from_wire(json.loads((home / STATE).read_text("ascii")))
    except FileNotFoundError:
        return None


def find(home: Path) -> Service | None:
    """Return the home's service if it is up.

    Raises `UsageError` when it is on another host with a private broker, where nothing here can reach it, or when it
    starts or stops at this moment.
    """
    service = read(home)
    if service is None or not service.alive:
        return None
    if service.state != "ready":
        raise UsageError(f"home {printable(str(home))}: its service is {service.state}; try again in a moment")
    if service.is_local:
        return service
    if service.embedded:
        raise UsageError(
            f"home {printable(str(home))}: its service is up on {service.host} with a private broker; run there, or "
            f"`chordal down` there and `chordal up --broker URL` with a broker that both can reach (if {service.host} "
            f"is gone for good, delete {STATE})"
        )
    from workers.broker import health  # with redis and kombu, which a command that only reads does without

    try:
        health.require(service.broker)
    except BrokerError:
        return None
    return service


def take_down(home: Path) -> tuple[Service | None, bool]:
    """Stop the home's service; return it, and whether it was alive and not merely left behind.

    Raises `UsageError` when it is on another host.
    """
    import psutil

    service = read(home)
    if service is None:
        return None, False
    if not service.is_local:
        raise UsageError(f"home {printable(str(home))}: its service is up on {service.host}; `chordal down` there")
    supervisor = service.process.find()
    if supervisor is not None:
        with suppress(psutil.NoSuchProcess):
            supervisor.send_signal(signal.SIGTERM)
            psutil.wait_procs([supervisor], timeout=DOWN_S)
            supervisor.kill()
    kill_leftovers(service)
    remove(home)
    return service, supervisor is not None


def kill_leftovers(service: Service) -> None:
    """Kill the children that a killed supervisor left behind, unless they end by themselves within ten seconds."""
    import psutil

    # Each child leads a process group of its own, in which its pool is.
    left = [process for child in service.children.values() if (process := child.find()) is not None]
    _, left = psutil.wait_procs(left, timeout=10.0)
    for process in left:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    psutil.wait_procs(left, timeout=5.0)
