"""Holding what a reader needs for longer than the collection's grace.

A snapshot is a plain value, and what it names stays for a day after it was superseded: enough for all that is read in
one go. A training that goes on reading for days holds its snapshot: a pin, a small file renewed every hour, keeps the
manifest it was taken from and all later ones, and so their parts, from being collected. A pin that was not renewed for
a day is that of a reader that died.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipeline.wire import Value
from storage import durable
from storage.documents import decode, encode
from storage.filestore.layout import Layout

RENEW_S = 3600.0
"""How often a pin is renewed, seconds."""

PIN_S = 24 * RENEW_S
"""How long a pin counts after it was renewed, seconds."""


class Pin(Value, frozen=True, kw_only=True):
    """Who holds which manifest, and all that came after it."""

    generation: int
    host: str
    pid: int


@contextmanager
def pinned(layout: Layout, generation: int, *, renew_s: float = RENEW_S) -> Iterator[None]:
    """Keep a manifest and what it names from being collected. Raises `StoreError` when that cannot be written."""
    path = durable.temporary(layout.pins, ".json")
    with durable.store_errors(path, "be written"):
        durable.make_folder(layout.pins)
        durable.write_whole(path, encode(Pin(generation=generation, host=socket.gethostname(), pid=os.getpid())))
        durable.sync_path(layout.pins)
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(path, over, renew_s), name="pin", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        with suppress(OSError):  # it expires by itself
            path.unlink()


def _renew(path: os.PathLike[str], over: threading.Event, renew_s: float) -> None:
    while not over.wait(renew_s):
        with suppress(OSError):  # the next renewal may meet better times; there are a day's worth of them
            os.utime(path)


def lowest(layout: Layout, *, now_s: float) -> int | None:
    """Return the lowest manifest that somebody holds, or None; pins of readers that died are removed.

    Raises `OSError` or `StoreError` when the pins cannot be read: nothing may then be collected.
    """
    held = []
    for name in durable.names_in(layout.pins):
        path = layout.pins / name
        try:
            if now_s - path.stat().st_mtime > PIN_S:
                path.unlink()
            else:
                held.append(decode(path.read_bytes(), Pin, path).generation)
        except FileNotFoundError:
            continue  # let go meanwhile
    return min(held, default=None)
