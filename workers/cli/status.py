"""`chordal status`, `failures`, `retry`, `recipes`: what a home holds."""

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from pipeline.errors import FailureKind, UsageError
from pipeline.tracks import printable
from workers.cli import options
from workers.cli.trials import show_search, show_trials, trials_told
from workers.tables import console, show_rows

if TYPE_CHECKING:
    from pipeline.runs import Purpose
    from workers.context import Doors

SHOWN_FAILURES = 50


def opened(home: str) -> "Doors":
    """Return the doors of an existing home.

    Raises `UsageError` when there is none: asking must not create one.
    """
    from workers.context import Doors

    path = Path(home).expanduser().absolute()
    if not any((path / name).is_dir() for name in ("runs", "store")):
        raise UsageError(
            f"home {printable(str(path))}: nothing here yet; `chordal run LIBRARY` makes it, --home names another"
        )
    return Doors(path)


def pick_run(context: "Doors", run_id: str | None, purpose: "Purpose | None" = None) -> str:
    """Return the run asked for, or the last one, or the last one for a purpose.

    Raises `UsageError` when there is no such run.
    """
    runs = context.ledger.run_ids(None if run_id is not None else purpose)
    if not runs:
        raise UsageError(f"home {printable(str(context.home))}: no run yet; start one with `chordal run LIBRARY`")
    if run_id is None:
        return runs[-1]
    if run_id not in runs:
        raise UsageError(f"run {run_id}: not in this home; the newest are {', '.join(runs[-3:])}")
    return run_id


@click.command()
@click.option("--run", "run_id", metavar="ID", help="Which run.  [default: the last one]")
@click.option("--trials", "with_trials", is_flag=True, help="Also every trial: what it tried, its score, time, host.")
@click.option("--watch", is_flag=True, help="On a terminal: show it again every second, until the run ends.")
@options.home
@options.broker
@options.as_json
def status(run_id: str | None, home: str, broker: str | None, *, with_trials: bool, watch: bool, as_json: bool) -> None:
    """Show where a run stands, and how many tracks of the home are in which state; live while it goes on."""
    from workers import following

    context = opened(home)
    run_id = pick_run(context, run_id)
    if as_json:
        live = following.look(context, run_id, broker)
        trials = {"search": trials_told(context, run_id)} if with_trials else {}
        options.emit(_status(context, run_id) | trials | ({"live": following.wire(live)} if live else {}))
    else:
        following.show(context, run_id, broker, lambda: _facts(context, run_id), watch=watch and sys.stdout.isatty())
        if with_trials:
            show_trials(context, run_id)


def _facts(context: "Doors", run_id: str) -> list[tuple[str, str]]:
    return [(name, _told(value)) for name, value in _status(context, run_id).items()]


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{what} {count}" for what, count in value.items())
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.1%}" if isinstance(value, float) else str(value)


def _status(context: "Doors", run_id: str) -> dict[str, Any]:
    from workers import service, stages

    ledger = context.ledger
    plan = ledger.plan(run_id)
    study, ended = ledger.study(run_id), ledger.ended_trials(run_id)
    told: dict[str, Any] = {
        "run_id": run_id,
        "stage": stages.current(context, run_id),
        "started": plan.created,
        "libraries": [printable(library) for library in plan.libraries],
        "shards": {
            "scanned": ledger.shard_count(run_id) or len(ledger.shards(run_id)),
            "sealed": len(ledger.sealed_shards(run_id)),
        },
        "tracks": stages.track_counts(context, plan),
        "ledger": context.tracks.counts(),
        "trials": {"requested": len(study.indices) if study is not None else 0, "ended": len(ended)},
        "seconds": stages.seconds(context, run_id),
    }
    if up := service.told(context.home):
        told["service"] = up
    if (failure := ledger.failure(run_id)) is not None:
        told["failure"] = failure
    if (report := ledger.report(run_id)) is not None:
        told["test_accuracy"] = report.test.accuracy
        told["model"] = report.model.version
        told["report"] = str(ledger.path(run_id) / "report.html")
    return told


@click.command()
@click.option("--csv", "as_csv", is_flag=True, help="Print all of them as CSV.")
@options.home
@options.as_json
def failures(home: str, *, as_csv: bool, as_json: bool) -> None:
    """List the files that have no features, and families that a file cannot have, with the reason."""
    rows = _failures(opened(home))
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


def _failures(context: "Doors") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for record in context.store.snapshot().records():
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
def retry(kinds: tuple[FailureKind, ...], home: str, *, as_json: bool) -> None:
    """Take failures back, so that the next run or extraction tries these files again.

    \b
    For example, after a codec was installed or a disk mended:
        chordal retry --kind unreadable --kind missing
        chordal extract MUSIC_FOLDER
    A file that was changed is tried again without this.
    """
    from workers.home import only_one

    context = opened(home)
    with only_one(context.home):
        tracks = context.tracks.retry(kinds)
    if as_json:
        options.emit({"retried": tracks})
    elif tracks:
        click.echo(f"{tracks} failed {'file' if tracks == 1 else 'files'} will be tried again by the next run")
    else:
        told = f" of kind {' or '.join(kinds)}" if kinds else ""
        click.echo(f"no failures{told}, nothing to try again")


@click.command()
@click.argument("recipe", required=False, metavar="[NAME|FILE]")
@options.as_json
def recipes(recipe: str | None, *, as_json: bool) -> None:
    """List the recipes that come with chordal; of one, or of a file, tell what it would search."""
    from pipeline.recipe import load_recipe, recipe_names

    if recipe is not None:
        show_search(recipe, as_json=as_json)
        return
    found = {name: load_recipe(name) for name in recipe_names()}
    if as_json:
        options.emit({name: each.to_wire() for name, each in found.items()})
        return
    shown = [
        (name, each.title, ", ".join(each.families), ", ".join(dict.fromkeys(m.family for m in each.models)))
        for name, each in found.items()
    ]
    show_rows(("recipe", "what it does", "features", "models"), shown)
