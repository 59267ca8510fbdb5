"""Flower for a home: with its history, and behind a password wherever other hosts can reach it."""

import ipaddress
import logging
import os
import sys
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.text import printable
from workers.app.celery import app, configure
from workers.app.settings import Settings

TASKS = 10_000
"""Tasks that Flower keeps; a million would take gigabytes, and saving them minutes."""
SAVE_MS = 60_000

COLUMNS = "name,args,result,state,received,runtime,worker"


def check_guarded(address: str, auth: str | None) -> None:
    """Raise `UsageError` where others could reach Flower without a password: with it they could stop workers."""
    if auth is not None and not all(auth.partition(":")):
        raise UsageError("flower: the user and password are not given as USER:PASSWORD")
    if auth is None and not _is_loopback(address):
        raise UsageError(
            f"flower address {printable(address)}: others could reach it without a password; give one with "
            "CHORDAL_FLOWER_AUTH=USER:PASSWORD, or leave --flower-address at 127.0.0.1"
        )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def serve(home: Path, settings: Settings, *, address: str, port: int, auth: str | None) -> None:
    """Serve Flower until a signal stops it. Raises `UsageError` when it would be open to others."""
    check_guarded(address, auth)
    for name in [name for name in os.environ if name.startswith("FLOWER_")]:
        # Flower takes options from there, and Kubernetes puts addresses there for a service of that name.
        del os.environ[name]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    history = home / "flower"
    history.mkdir(exist_ok=True)
    configure(settings, "client")
    _set_password(auth)
    app.start(
        [
            "--quiet",
            "flower",
            f"--address={address}",
            f"--port={port}",
            "--persistent=True",
            f"--db={history / 'history'}",
            f"--state_save_interval={SAVE_MS}",
            f"--max_tasks={TASKS}",
            "--purge_offline_workers=3600",
            "--natural_time=True",
            f"--tasks_columns={COLUMNS}",
            "--conf=/dev/null",
        ]
    )


def _set_password(auth: str | None) -> None:
    """Set Flower's user and password, neither on the command line nor in the environment."""
    from flower.options import options  # with Tornado, which `check_guarded` does not need

    if auth is not None:
        options.basic_auth = [auth]
