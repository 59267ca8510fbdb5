"""Flower for a home: with its history, and behind a password wherever other hosts can reach it."""

import atexit
import ipaddress
import logging
import os
import re
import signal
import sys

from pipeline.errors import UsageError
from pipeline.text import printable
from storage.home import Home
from workers.app.celery import configure
from workers.app.settings import Settings

TASKS = 10_000
"""Tasks that Flower keeps; a million would take gigabytes, and saving them minutes."""
SAVE_MS = 60_000

COLUMNS = "name,uuid,state,args,kwargs,result,received,runtime,worker"
"""The id leads to the page of a task; the run and the shard are among `kwargs`."""

_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
"""What may stand between two slashes of a prefix; Flower makes a regular expression of it."""


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


def parse_prefix(text: str) -> str:
    """Return the path that Flower is served below, as `/flower`, or nothing for the root.

    Raises `UsageError` for what is no path of an address.
    """
    path = text.strip("/")
    segments = path.split("/") if path else []
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise UsageError(f"flower prefix {printable(text)!r}: no path of an address; give one such as /flower")
    return "".join(f"/{segment}" for segment in segments)


def serve(home: Home, settings: Settings, *, address: str, port: int, auth: str | None, prefix: str = "") -> None:
    """Serve Flower below a path until a signal stops it.

    Raises `UsageError` when it would be open to others, or its port is taken.
    """
    check_guarded(address, auth)
    for name in [name for name in os.environ if name.startswith("FLOWER_")]:
        # Flower takes options from there, and Kubernetes puts addresses there for a service of that name.
        del os.environ[name]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    configure(settings, "client")
    from workers.service.flower_pages import application  # with Flower and Tornado, which the checks do not need

    # None of it on a command line or in the environment, where other users could read the password.
    pages = application(
        home,
        address=address,
        port=port,
        basic_auth=[] if auth is None else [auth],
        url_prefix=prefix,
        max_tasks=TASKS,
        state_save_interval=SAVE_MS,
        purge_offline_workers=3600,
        natural_time=True,
        tasks_columns=COLUMNS,
    )
    try:
        pages.start_http_server()
    except OSError as error:
        raise UsageError(f"flower port {port} on {printable(address)}: {error.strerror}; name another") from error
    atexit.register(pages.stop)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        pages.start()
    except (KeyboardInterrupt, SystemExit):
        return
