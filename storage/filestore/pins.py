"""Keeping what a long-lived reader needs from being removed by the collection.

A snapshot is a plain value, and the files it names are kept for the collection's grace, a day, after they were
superseded: enough for most readers. A training that reads for days holds its snapshot by a pin, a small file that is
renewed every hour and keeps the snapshot's manifest and all later ones, and so their parts, from being collected. A
pin that was not renewed for a day is that of a reader that died.

Where the store can only be read, as on a snapshot or in another user's home, there are no pins: such a reader has the
day of the grace.
"""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.wire import Value
from storage import durable
from storage.documents import decode, encode
from storage.filestore.layout import Layout

RENEW_S = 3600.0
"""How often a pin is renewed, seconds."""

PIN_S = 24 * RENEW_S
"""How long a pin is valid after it was renewed, seconds."""

READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
"""What is answered where a store can only be read."""


class Pin(Value, frozen=True, kw_only=True):
    """The content of a pin: the lowest manifest that is kept, and the process that keeps it."""

    generation: int
    host: str
    pid: int


@contextmanager
def pin(layout: Layout, generation: int, *, renew_s: float = RENEW_S) -> Iterator[None]:
    """Keep a manifest and all later ones from being collected, renewing the pin from a thread every `renew_s` seconds.

    Does nothing where the store can only be read. Raises `StoreError` when the pin cannot be written for another
    reason.
    """
    path = durable.temporary_path(layout.pins, ".json")
    if not _write(path, Pin(generation=generation, host=socket.gethostname(), pid=os.getpid())):
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_renew, args=(path, ended, renew_s), name="pin", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(OSError):  # it expires by itself
            path.unlink()


def _write(path: Path, content: Pin) -> bool:
    """Write a pin; False where the store can only be read. Raises `StoreError`."""
    with durable.store_errors(path, "be written"):
        try:
            durable.make_folder(path.parent)
            durable.write_whole(path, encode(content))
            durable.sync_path(path.parent)
        except OSError as error:
            if error.errno not in READ_ONLY:
                raise
            return False
    return True


def _renew(path: os.PathLike[str], ended: threading.Event, renew_s: float) -> None:
    while not ended.wait(renew_s):
        with suppress(OSError):  # a later renewal may succeed, as the pin stays valid for a day
            os.utime(path)


def lowest_pin(layout: Layout, *, now_s: float) -> int | None:
    """Return the lowest manifest that is pinned, or None; removes the pins of readers that died.

    `now_s` is the time by the clock of the pins' file system. Raises `OSError` or `StoreError` when the pins cannot be
    read: nothing may then be collected.
    """
    generations = []
    for name in durable.names_in(layout.pins):
        path = layout.pins / name
        try:
            if now_s - path.stat().st_mtime > PIN_S:
                path.unlink()
            else:
                generations.append(decode(path.read_bytes(), Pin, path).generation)
        except FileNotFoundError:
            continue  # removed meanwhile
    return min(generations, default=None)
