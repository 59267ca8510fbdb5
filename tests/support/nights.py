"""Making the nights of a home due."""

import json
from pathlib import Path


def move_since(home: Path, *, to: str) -> None:
    """Make a home's schedule one that was set at another time."""
    path = home / "schedule.json"
    wire = json.loads(path.read_text())
    del wire["crc32"]  # of the unchanged schedule
    path.write_text(json.dumps(wire | {"since": to}))
