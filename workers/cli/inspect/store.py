"""`chordal store`: look into the feature store, check it, tidy it up, bring features in and take them out."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import UsageError
from pipeline.text import printable
from workers.cli import options
from workers.cli.lookup import output_path
from workers.cli.tables import console, show_facts, show_rows
from workers.processes import signals

if TYPE_CHECKING:
    from storage import FileFeatureStore
    from storage.features.reader import Features

# The same as `storage.exchange.FORMATS`, which would load h5py for every help and completion; a test compares them.
FORMATS = ("parquet", "csv", "npz", "h5")

HOUR_S = 3600.0


@click.group()
def store() -> None:
    """Look into the feature store, check it, tidy it up, bring features in and take them out.

    \b
    For example:
        chordal store info
        chordal store export --family loudness --format parquet --out loudness.parquet
        chordal store import-npz features.npz && chordal train --recipe rostock-genre
    """


def _features(home_path: str) -> "Features":
    """Return the features of an existing home. Raises `UsageError` when there is none: reading must not make one."""
    from storage.features.reader import open_features

    return open_features(Path(home_path).expanduser().absolute())


def _store(home_path: str) -> "FileFeatureStore":
    """Return the store of an existing home, to change it. Raises `UsageError` when there is none."""
    from storage import FileFeatureStore

    return FileFeatureStore.open(_store_folder(home_path))


def _store_folder(home_path: str) -> Path:
    """Return the folder of the store of an existing home. Raises `UsageError` when there is none."""
    from storage.features.reader import store_folder

    return store_folder(home_path)


@store.command()
@options.home
@options.as_json
def info(home_path: str, *, as_json: bool) -> None:
    """Show what is stored: families, tracks, rows, bytes, files, schema and software."""
    from storage.features.inspect import inspect

    facts = inspect(_features(home_path))
    if as_json:
        options.emit(facts.to_wire())
        return
    show_facts(
        [
            ("store", facts.path),
            ("schema", str(facts.schema)),
            ("written by", "; ".join(f"{name} {', '.join(versions)}" for name, versions in facts.software.items())),
            (
                "tracks",
                f"{facts.tracks:,}: {facts.labelled:,} labelled, {facts.grouped:,} grouped, {facts.failed:,} failed",
            ),
            (
                "files",
                f"{facts.parts:,} parts, {facts.inbox:,} segments in the inbox, {facts.damaged:,} set aside",
            ),
            ("size", f"{facts.bytes:,} bytes"),
        ]
    )
    if facts.families:
        click.echo()
        rows = [
            (each.key, f"{each.tracks:,}", f"{each.rows:,}", f"{each.columns:,}", f"{each.bytes:,}", f"{each.parts:,}")
            for each in facts.families
        ]
        show_rows(("family", "tracks", "rows", "numbers a row", "bytes", "parts"), rows)


@store.command()
@click.option("--repair", is_flag=True, help="Mend what can be mended; the next run extracts again what is lost.")
@options.home
@options.as_json
def verify(home_path: str, *, repair: bool, as_json: bool) -> None:
    """Read everything and check every checksum; name the file, track and family of whatever is damaged.

    Exit status 1 when something is damaged and was not mended. Safe beside anything else at work.
    """
    from storage import FileFeatureStore

    signals.listen()
    root = _store_folder(home_path)
    result = FileFeatureStore.open(root).repair() if repair else FileFeatureStore.existing(root).verify()
    if as_json:
        options.emit(result.to_wire())
    else:
        checked = ("documents", "segments", "parts", "records", "contents", "size_bytes")
        show_facts([(name.replace("size_bytes", "bytes"), f"{getattr(result, name):,}") for name in checked])
        for title, lines in (
            ("damaged", result.damages),
            ("mended", result.repairs),
            ("beyond repair", result.beyond_repair),
        ):
            for line in lines:
                console().print(f"{title}: {printable(str(line))}")
        if not result.damages:
            console().print("nothing is damaged")
    if result.beyond_repair or (result.damages and not repair):
        sys.exit(1)


@store.command()
@options.home
@options.as_json
def compact(home_path: str, *, as_json: bool) -> None:
    """Pack what many commits left behind into few files; safe beside anything else at work."""
    _show(_store(home_path).compact().to_wire(), as_json=as_json)


@store.command()
@click.option(
    "--grace-hours",
    type=click.FloatRange(min=0),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="Keep what is younger; less than the longest task can take files away from those at work.",
)
@options.home
@options.as_json
def gc(home_path: str, grace_hours: float, *, as_json: bool) -> None:
    """Remove files that nothing refers to any more: replaced parts, old manifests, remains of killed writers."""
    _show(_store(home_path).gc(grace_s=grace_hours * HOUR_S).to_wire(), as_json=as_json)


@store.command()
@click.option("--family", metavar="FAMILY", help="Name or key of one family.  [default: each into a file of its own]")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="parquet", show_default=True, help="Form of the file."
)
@click.option(
    "--out", metavar="PATH", help="File to write, or folder to write into.  [default: here, named like the family]"
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@options.home
@options.as_json
def export(family: str | None, form: str, out: str | None, home_path: str, *, force: bool, as_json: bool) -> None:
    """Write the rows of a family into a file, with path, label, group and the columns' units.

    Rows come track by track in the store's order. However many there are, some ten megabytes are in memory at once;
    the file has its name only when it is whole.
    """
    from storage.exchange import export as write

    signals.listen()
    features = _features(home_path)
    names = [features.spec(family).name] if family else list(dict.fromkeys(spec.name for spec in features.specs))
    if not names:
        raise UsageError(f"home {printable(home_path)}: no features are stored; `chordal run LIBRARY` extracts them")
    target = output_path(out) if out else Path.cwd()
    if target.is_dir():
        files = [(name, target / f"{name}.{form}") for name in names]
    elif len(names) == 1:
        files = [(names[0], target)]
    else:
        raise UsageError(
            f"--out {printable(str(target))}: {len(names)} families need a folder that exists, or give --family"
        )
    written = []
    for name, path in files:
        written.append(write(features, family or name, path, form=form, replace=force))
    if as_json:
        options.emit({"files": [each.to_wire() for each in written]})
        return
    rows = [(each.path, each.family, f"{each.tracks:,}", f"{each.rows:,}", f"{each.size_bytes:,}") for each in written]
    show_rows(("file", "family", "tracks", "rows", "bytes"), rows)


@store.command("import-npz")
@click.argument("file", metavar="FILE")
@click.option(
    "--family", default="loudness", show_default=True, metavar="NAME", help="The family whose rows these are."
)
@options.home
@options.as_json
def import_npz(file: str, family: str, home_path: str, *, as_json: bool) -> None:
    """Bring in features computed elsewhere: arrays Xdata (n, ...) and Ydata (n, 1), as the tutorial caches them.

    Such a file does not tell which rows are of one song. So each row is a track of its own without a group, a random
    split may part the rows of a song, and scores are better than they would be for new songs. Afterwards `chordal
    train --recipe rostock-genre`, or `chordal train FILE`, learns from them.
    """
    from pipeline.plans.recipe import load_recipe
    from storage.home import home_lock, prepare_home
    from workers.runs import import_npz as runs_import_npz

    signals.listen()
    path = Path(file).expanduser().absolute()
    runs_import_npz.check_file(path, family)
    home = prepare_home(home_path)
    with home_lock(home.path):
        command = ("chordal", *sys.argv[1:])
        result = runs_import_npz.import_npz(home, path, family, load_recipe("rostock-genre"), command)
    if as_json:
        options.emit(result)
        return
    labels = ", ".join(f"{printable(label)} {count:,}" for label, count in result["labels"].items())
    show_facts(
        [
            ("run", result["run_id"]),
            ("rows", f"{result['rows']:,}, each a track of its own; {result['new']:,} new or newer"),
            ("family", result["family"]),
            ("labels", labels),
            (
                "groups",
                "unknown: the file tells no songs, so a split may part the rows of one, and scores are too good",
            ),
        ]
    )
    if result["not_finite"]:
        console().print(f"{result['not_finite']:,} rows hold NaN or infinite values and are left out when models learn")
    console().print("`chordal train --recipe rostock-genre` learns from them")


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        options.emit(result)
        return
    lines = result.pop("damaged", ())
    show_facts([(name, f"{value:,}" if isinstance(value, int) else str(value)) for name, value in result.items()])
    for line in lines:
        console().print(printable(line))
