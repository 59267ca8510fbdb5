"""Remarks: what decoders had to say of files that were used all the same, most of them in part."""

import csv
import sys
from typing import TYPE_CHECKING, Any

from pipeline.text import MISSING, printable
from workers.cli.tables import console, show_rows

if TYPE_CHECKING:
    from pipeline.library.tracks import TrackRecord
    from storage.home import Home

SHOWN_REMARKS = 50
"""Remarks that are listed for people."""

COLUMNS = ("path", "used_s", "declared_s", "note")


def remarks_of(home: "Home") -> list[dict[str, Any]]:
    """Return the remarks on a home's files, by path: the seconds of sound that were used and declared, and the note."""
    rows = [_row(record) for record in home.store.snapshot().records() if record.has_remark]
    return sorted(rows, key=lambda row: row["path"])


def show_remarks(rows: list[dict[str, Any]], *, as_csv: bool) -> None:
    """Print remarks for people, or all of them as CSV."""
    if as_csv:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "path": printable(row["path"]), "note": printable(row["note"])} for row in rows)
        return
    if not rows:
        console().print("no remarks")
        return
    shown = [
        (printable(row["path"]), _seconds(row["used_s"]), _seconds(row["declared_s"]), printable(row["note"]))
        for row in rows[:SHOWN_REMARKS]
    ]
    show_rows(("file", "used", "declared", "remark"), shown)
    if len(rows) > SHOWN_REMARKS:
        console().print(f"and {len(rows) - SHOWN_REMARKS} more; --csv or --json prints them all")


def _row(record: "TrackRecord") -> dict[str, Any]:
    return {
        "path": record.path,
        "used_s": record.duration_s,
        "declared_s": record.declared_s,
        "note": record.note,
    }


def _seconds(seconds: float | None) -> str:
    return MISSING if seconds is None else f"{seconds:,.2f} s"
