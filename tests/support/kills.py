"""Finding the processes of a command, to kill one of them, and comparing what is stored in the end."""

import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from storage import FileFeatureStore


def worker(chordal: Any, role: str) -> psutil.Process | None:
    """Return the main process of a worker that a command started, or None when there is none."""
    workers = [p for p in chordal.live_processes() if p.info["cmdline"][-2:] == [role, "--end-with-parent"]]
    with suppress(psutil.NoSuchProcess):
        return next((each for each in workers if each.parent() not in workers), None)
    return None


def pool(chordal: Any, role: str) -> list[psutil.Process]:
    """Return the pool processes of a worker."""
    main = worker(chordal, role)
    with suppress(psutil.NoSuchProcess):
        return main.children() if main is not None else []
    return []


def server(chordal: Any) -> psutil.Process | None:
    """Return the embedded broker that a command started, or None when there is none."""
    return next((p for p in chordal.live_processes() if "valkey-server" in p.info["cmdline"][0]), None)


def is_extracting(chordal: Any) -> bool:
    """Return whether some files are done and not merged yet: the run is in the middle of a shard."""
    return any((chordal.home / "store" / "inbox").rglob("*.h5"))


def store_contents(home: Path) -> dict[str, Any]:
    """Return, by path, the record in the store without its sequence, and the CRC-32 of its rows."""
    snapshot = FileFeatureStore.existing(home / "store").snapshot()
    contents: dict[str, Any] = {}
    for record in snapshot.records():
        assert record.path not in contents, f"{record.path} is there twice"
        rows = {
            key: [zlib.crc32(array.tobytes()) for array in (rows.values, rows.start_s, rows.channel)]
            for key in sorted(snapshot.families_of(record.content_hash))
            for rows in snapshot.rows(key, [record.content_hash])
        }
        contents[record.path] = (record.replace(sequence=0), rows)
    assert len(contents) == len(snapshot)
    return contents
