"""`chordal duplicates`: files that are one, and which of them to keep."""

import csv
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from pipeline.text import describe_playing_time, printable
from workers.cli import options
from workers.cli.lookup import existing_home
from workers.cli.tables import console, show_rows

if TYPE_CHECKING:
    from pipeline.library.duplicates import Copy, CopySet, Relation
    from storage.features.duplicates import Duplicates

# The same as `pipeline.library.duplicates.RELATIONS`, which would load NumPy for every help; a test compares them.
KINDS = ("file", "sound", "music")
TITLES = {"file": "same file", "sound": "same sound, other tags", "music": "same music, other encodings"}

SHOWN_SETS = 50
"""Sets that are listed for people."""

COLUMNS = (
    "set", "kind", "proposal", "relation", "reason", "path", "format", "lossless", "bit_rate_kbps", "duration_s",
    "sample_rate_hz", "channels", "size_bytes", "tags",
)  # fmt: skip


@click.command()
@click.argument("libraries", nargs=-1, type=options.PathName(), metavar="[LIBRARY...]")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="music",
    show_default=True,
    help="What copies have in common at least: all bytes; the sound, with other tags; the music, encoded otherwise.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print every file of every set as CSV.")
@click.option("--m3u", "as_m3u", is_flag=True, help="Print the files that may go as a playlist (m3u8).")
@options.home
@options.as_json
def duplicates(
    libraries: tuple[str, ...], home_path: str, *, kind: "Relation", as_csv: bool, as_m3u: bool, as_json: bool
) -> None:
    """List files that are one: which one to keep, which may go, and why. Changes no file.

    \b
    Compares what is extracted, without LIBRARY all of the home. For example:
        chordal duplicates MUSIC_FOLDER
        chordal duplicates --kind file --m3u > copies.m3u8
    """
    if as_csv + as_m3u + as_json > 1:
        raise click.UsageError("--csv, --m3u and --json: give one of them")
    home = existing_home(home_path, for_reading=True)
    from storage.features.duplicates import find_duplicates

    roots = [os.path.abspath(library) for library in libraries]  # noqa: PTH100 - keeps odd bytes
    found = find_duplicates(home.store, home.tracks, roots, kind=kind)
    if as_json:
        options.emit(_to_wire(found))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for number, each in enumerate(found.sets, 1):
            rows = _rows(each)
            writer.writerows({"set": number, "kind": each.kind, **row, "path": printable(row["path"])} for row in rows)
        _show_left_out(found, err=True)
    elif as_m3u:
        _show_m3u(found)
        _show_left_out(found, err=True)
    else:
        _show(found)
        _show_left_out(found)


def _rows(each: "CopySet") -> list[dict[str, Any]]:
    """Return a row for every file of a set, the one to keep first."""
    return [_row(each, copy) for copy in each.copies]


def _row(each: "CopySet", copy: "Copy") -> dict[str, Any]:
    facts = each.facts[copy.path]
    may_go = copy in each.go
    kept = copy is each.proposal.keep
    reason = "" if kept else each.proposal.go[copy.path]
    if not (kept or may_go):
        reason = "a track within an album's file"
    return {
        "proposal": "go" if may_go else "keep",
        "relation": "" if kept else each.relation(copy),
        "reason": reason,
        "path": copy.path,
        "format": facts.format,
        "lossless": facts.lossless,
        "bit_rate_kbps": facts.bit_rate_kbps,
        "duration_s": round(copy.duration_s, 3),
        "sample_rate_hz": copy.sample_rate_hz,
        "channels": copy.channels,
        "size_bytes": copy.size_bytes,
        "tags": facts.tags,
    }


def _to_wire(found: "Duplicates") -> dict[str, Any]:
    go = [copy for each in found.sets for copy in each.go]
    return {
        "sets": [{"kind": each.kind, "files": _rows(each)} for each in found.sets],
        "kinds": {kind: sum(each.kind == kind for each in found.sets) for kind in KINDS},
        "may_go": {"files": len(go), "size_bytes": sum(copy.size_bytes for copy in go)},
        "compared": found.compared,
        "too_short": found.too_short,
        "without_fingerprint": found.without_fingerprint,
        "not_extracted": found.not_extracted,
        "changed": found.changed,
        "missing": found.missing,
        "links": found.links,
    }


def _show(found: "Duplicates") -> None:
    for number, each in enumerate(found.sets[:SHOWN_SETS], 1):
        console().print(f"{number}. {TITLES[each.kind]}", style="bold")
        show_rows(("", "file", "", "length", "size", "why"), [_shown(row) for row in _rows(each)])
        console().print()
    if len(found.sets) > SHOWN_SETS:
        console().print(f"and {len(found.sets) - SHOWN_SETS:,} more sets; --csv or --json prints them all")
    go = [copy for each in found.sets for copy in each.go]
    if not found.sets:
        console().print(f"no duplicates among {found.compared:,} files")
        return
    kinds = [
        f"{count:,} {TITLES[kind].partition(',')[0]}"
        for kind in KINDS
        if (count := sum(each.kind == kind for each in found.sets))
    ]
    sets = "1 set" if len(found.sets) == 1 else f"{len(found.sets):,} sets"
    freed = sum(copy.size_bytes for copy in go) / 1e6
    console().print(
        f"{sets} among {found.compared:,} files: {', '.join(kinds)}; {len(go):,} of them may go ({freed:,.1f} MB); "
        "nothing was changed"
    )


def _shown(row: dict[str, Any]) -> tuple[str, ...]:
    coding = row["format"] if row["lossless"] else f"{row['format']} {row['bit_rate_kbps']:.0f} kbit/s"
    reason = printable(row["reason"])
    if row["relation"] in {"file", "sound"}:
        reason = f"{TITLES[row['relation']].partition(',')[0]}; {reason}"
    return (
        row["proposal"],
        printable(row["path"]),
        coding,
        describe_playing_time(row["duration_s"]),
        f"{row['size_bytes'] / 1e6:,.1f} MB",
        reason,
    )


def _show_m3u(found: "Duplicates") -> None:
    """Print a playlist of what may go; what is kept stands in the comment above."""
    click.echo("#EXTM3U")
    unprintable = 0
    for each in found.sets:
        go = [copy for copy in each.go if printable(copy.path) == copy.path]
        unprintable += len(each.go) - len(go)
        if go:
            click.echo(f"# keep {printable(each.proposal.keep.path)}")
        for copy in go:
            click.echo(f"#EXTINF:{copy.duration_s:.0f},{os.path.basename(copy.path)}")  # noqa: PTH119 - as it is
            click.echo(copy.path)
    if unprintable:
        click.echo(f"{unprintable:,} with odd bytes in the path: no playlist can have them; --json has", err=True)


def _show_left_out(found: "Duplicates", *, err: bool = False) -> None:
    """Print one line for each reason why files were not compared, or not as far as others."""
    mended = "`chordal extract LIBRARY` brings them up to date"
    unheard = "compared by bytes and sound only, as there is no fingerprint of the music yet"
    adding = "`chordal extract LIBRARY --recipe fingerprint` adds it"
    for count, text in (
        (found.without_fingerprint, f"{unheard}; {adding}"),
        (found.too_short, "too little sound to be compared by the music, compared by bytes and sound only"),
        (found.not_extracted, f"not extracted, left out; {mended}, `chordal failures` says why one cannot be"),
        (found.changed, f"changed since they were extracted, left out; {mended}"),
        (found.missing, "copies not there now, left out; is the disk mounted?"),
        (found.links, "links to a file that is listed, left out"),
    ):  # fmt: skip
        if count:
            click.echo(f"{count:,} {'file' if count == 1 else 'files'}: {text}", err=err)
