"""`chordal failures` and `chordal retry`: files without features, and trying them again."""

import csv
import sys
from typing import TYPE_CHECKING, Any, get_args

import click

from pipeline.errors import FailureKind
from pipeline.text import printable
from workers.cli import options
from workers.cli.lookup import existing_home
from workers.cli.remarks import remarks_of, show_remarks
from workers.cli.tables import console, show_rows

if TYPE_CHECKING:
    from storage.home import Home


SHOWN_FAILURES = 50
"""Failures that are listed for people."""


@click.command()
@click.option("--csv", "as_csv", is_flag=True, help="Print all of them as CSV.")
@click.option("--remarks", is_flag=True, help="List instead the files that were used, in part or with a remark.")
@options.home
@options.as_json
def failures(home_path: str, *, as_csv: bool, remarks: bool, as_json: bool) -> None:
    """List the files that have no features, and families that a file cannot have, with the reason."""
    home = existing_home(home_path, for_reading=True)
    if remarks:
        found = remarks_of(home)
        if as_json:
            options.emit({"remarks": found})
        else:
            show_remarks(found, as_csv=as_csv)
        return
    rows = _failures(home)
    if as_json:
        options.emit({"failures": rows})
    elif as_csv:
        writer = csv.DictWriter(
            sys.stdout, ["path", "copy", "family", "kind", "reason", "attempts", "host"], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows({**row, "path": printable(row["path"])} for row in rows)
    else:
        _show_failures(rows)


def _failures(home: "Home") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for record in home.store.snapshot().records():
        if record.mark is not None:
            continue  # its file is gone, or it will be tried again
        causes = {"": record.failure} if record.failure is not None else record.family_failures
        for family, failure in causes.items():
            if failure is not None:
                # Of an augmented copy, how it differs from the file.
                copy = record.note if record.copy_of else ""
                rows.append({"path": record.path, "copy": copy, "family": family, **failure.to_wire()})
    return sorted(rows, key=lambda row: (row["path"], row["copy"], row["family"]))


def _file(row: dict[str, Any]) -> str:
    return printable(row["path"]) + (f" (copy: {row['copy']})" if row["copy"] else "")


def _show_failures(rows: list[dict[str, Any]]) -> None:
    if not rows:
        console().print("no failures")
        return
    shown = [
        (_file(row), row["family"], row["kind"], printable(row["reason"]), str(row["attempts"]))
        for row in rows[:SHOWN_FAILURES]
    ]
    show_rows(("file", "family", "kind", "reason", "attempts"), shown)
    if len(rows) > SHOWN_FAILURES:
        console().print(f"and {len(rows) - SHOWN_FAILURES} more; --csv or --json prints them all")


@click.command()
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(get_args(FailureKind)),
    help="Only failures of this kind; may be given more than once.  [default: all]",
)
@options.home
@options.as_json
def retry(kinds: tuple[FailureKind, ...], home_path: str, *, as_json: bool) -> None:
    """Take failures back, so that the next run or extraction tries these files again.

    \b
    For example, after a codec was installed or a disk mended:
        chordal retry --kind unreadable --kind missing
        chordal extract MUSIC_FOLDER
    A file that was changed is tried again without this.
    """
    from storage.home import home_lock

    home = existing_home(home_path)
    with home_lock(home.path):
        tracks = home.tracks.retry(kinds)
    if as_json:
        options.emit({"retried": tracks})
    elif tracks:
        click.echo(f"{tracks} failed {'file' if tracks == 1 else 'files'} will be tried again by the next run")
    else:
        of_kind = f" of kind {' or '.join(kinds)}" if kinds else ""
        click.echo(f"no failures{of_kind}, nothing to try again")
