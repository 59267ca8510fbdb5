"""Finding the processes of a command, to kill one of them, and comparing what is stored in the end."""

import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from storage import FileFeatureStore


def worker(chordal: Any, role: str) -> psutil.Process | None:
    """Return the main process of a worker that a command started, or None when there is none."""
    found = [p for p in chordal.left_running() if p.info["cmdline"][-2:] == [role, "--end-with-parent"]]
    with suppress(psutil.NoSuchProcess):
        return next((each for each in found if each.parent() not in found), None)
    return None


def pool(chordal: Any, role: str) -> list[psutil.Process]:
    """Return the processes in which a worker works."""
    main = worker(chordal, role)
    with suppress(psutil.NoSuchProcess):
        return main.children() if main is not None else []
    return []


def server(chordal: Any) -> psutil.Process | None:
    """Return the embedded broker that a command started, or None when there is none."""
    return next((p for p in chordal.left_running() if "valkey-server" in p.info["cmdline"][0]), None)


def extracting(chordal: Any) -> bool:
    """Tell whether some files are done and not merged yet: the run is in the middle of a shard."""
    return any((chordal.home / "store" / "inbox").rglob("*.h5"))


def stored(home: Path) -> dict[str, Any]:
    """Return what the store has of each path: its record but for who did it and when, and the CRC of its rows."""
    snapshot = FileFeatureStore.existing(home / "store").snapshot()
    found: dict[str, Any] = {}
    for record in snapshot.records():
        assert record.path not in found, f"{record.path} is there twice"
        rows = {
            key: [zlib.crc32(array.tobytes()) for array in (rows.values, rows.start_s, rows.channel)]
            for key in sorted(snapshot.families_of(record.content_hash))
            for rows in snapshot.rows(key, [record.content_hash])
        }
        found[record.path] = (record.replace(sequence=0), rows)
    assert len(found) == len(snapshot)
    return found
