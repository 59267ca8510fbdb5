"""`chordal run` and its parts: scan, extract, train."""

import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.cli import options

if TYPE_CHECKING:
    from workers import running, service
    from workers.progress import View

# Celery, NumPy and the rest are imported by the functions below: the help and the shell's completion answer at once.

Body = Callable[[Path, "running.Wanted", "View"], dict[str, Any]]


@click.command()
@click.argument("libraries", nargs=-1, metavar="[LIBRARY...]")
@options.library_options
@options.work_options
@options.home
@options.as_json
def run(**given: Any) -> None:
    """Do everything: scan, extract, try models, train the best, evaluate, register, report.

    \b
    LIBRARY is a folder of audio files, searched with all its subfolders. The recipes `tones` and
    `binary-boundary` make one of their own where none is named.
    For example:
        chordal run ~/Music --labels tag:genre --groups tag:artist
        chordal run esc10 --groups 'name:^\\d-(\\d+)-' --folds 'name:^(\\d)-'
        chordal run songs --recipe rostock-genre --quick
        chordal run --recipe tones
    """
    _carry_out(given, _whole, makes_library=True)


@click.command()
@click.argument("libraries", nargs=-1, required=True, metavar="LIBRARY...")
@options.library_options
@options.work_options
@options.home
@options.as_json
def extract(**given: Any) -> None:
    """Scan and extract only: bring the store up to date with the libraries."""
    _carry_out(given, _whole, learn=False)


@click.command()
@click.argument("libraries", nargs=-1, metavar="[LIBRARY...]")
@options.library_options
@options.work_options
@options.home
@options.as_json
def train(**given: Any) -> None:
    """Learn from what is stored: trials, final training, evaluation, report. Extracts nothing.

    Without LIBRARY, the libraries, labels, groups and folds of the last run are used.
    """
    _carry_out(given, _whole, extract=False)


@click.command()
@click.argument("libraries", nargs=-1, required=True, metavar="LIBRARY...")
@options.library_options
@options.home
@options.as_json
def scan(**given: Any) -> None:
    """Look at the libraries: how many files, which labels, groups and folds. Extracts nothing.

    What was there at an earlier scan of the same folder and is gone now is marked deleted.
    """
    _carry_out({**given, "workers": None, "broker": None, "priority": "normal"}, _scan_only, extract=False, learn=False)


def _whole(home: Path, wanted: "running.Wanted", view: "View") -> dict[str, Any]:
    from workers import making, summary

    told = [summary.of_run(home, finished) for finished in making.carry_out(home, wanted, view)]
    for first, then in pairwise(told):
        first["then"] = then
    return told[0]


def _scan_only(home: Path, wanted: "running.Wanted", view: "View") -> dict[str, Any]:
    from workers import running, summary
    from workers.context import Doors

    finished = running.scan(Doors(home), wanted, view)
    return summary.of_scan(home, finished)


def _carry_out(
    given: dict[str, Any], body: Body, *, extract: bool = True, learn: bool = True, makes_library: bool = False
) -> None:
    """Run a command's body in its home, with signals that stop it cleanly, and print its summary."""
    from pipeline.errors import UsageError
    from workers import importing, interrupts, making, service, summary
    from workers.home import only_one
    from workers.progress import View

    interrupts.listen()
    home, wanted, served = prepared(given, extract=extract, learn=learn)
    makes_library = makes_library and not wanted.libraries
    if not wanted.libraries and not makes_library:
        wanted = _like_last_run(home, wanted, given)
    if importing.is_imported(wanted.libraries):
        importing.check_options(labels=given["labels"], groups=given["groups"], folds=given["folds"], extract=extract)
        wanted = wanted.replace(labels=importing.LABELS)
    quiet = given["as_json"]
    with only_one(home, shared=wanted.broker is not None), View(quiet=quiet) as view:
        if served is not None:
            view.line(f"the service of this home (process {served.process.pid}) does the work")
        elif wanted.broker is None and service.find(home) is not None:
            raise UsageError(f"home {given['home']}: its service came up just now; the same command uses it")
        if makes_library:
            wanted = making.with_library(home, wanted, view)
        told = body(home, wanted, view)
    if quiet:
        options.emit(told)
    else:
        summary.show(told)


def prepared(
    given: dict[str, Any], *, extract: bool, learn: bool
) -> "tuple[Path, running.Wanted, service.Service | None]":
    """Return the home and the orders that a command line stands for, and the home's service if that does the work.

    Raises `UsageError` for a mistake in any of them.
    """
    from workers import importing, running, service, tracking
    from workers.address import BrokerAddress
    from workers.home import prepare_home

    address = BrokerAddress.parse(given["broker"]) if given["broker"] else None
    recipe = running.recipe_of(given["recipe"], trials=given["trials"], quick=given["quick"])
    if given.get("mlflow") and (learn or given.get("learn_after")):
        tracking.check_can_tell(given["mlflow"])
    home = prepare_home(given["home"])
    served = service.find(home) if address is None else None
    if served is not None:
        address = served.broker
    wanted = running.Wanted(
        command=shown_command(),
        libraries=tuple(
            importing.library_of(os.path.abspath(library))  # noqa: PTH100 - keeps odd bytes
            for library in given["libraries"]
        ),
        recipe=recipe,
        labels=given["labels"] or recipe.labels or "folder",
        groups=given["groups"],
        folds=given["folds"],
        seed=given["seed"],
        extract=extract,
        learn=learn,
        workers=given["workers"] if served is None else None,
        broker=address,
        max_duration_s=given["max_duration"],
        priority=given["priority"],
        tracking=given.get("mlflow"),
    )
    return home, wanted, served


def _like_last_run(home: Path, wanted: "running.Wanted", given: dict[str, Any]) -> "running.Wanted":
    from pipeline.errors import UsageError
    from workers.context import Doors

    ledger = Doors(home).ledger
    runs = ledger.run_ids("library")
    if not runs:
        raise UsageError(f"home {given['home']}: nothing was ever extracted here; name a LIBRARY or run `chordal run`")
    last = ledger.plan(runs[-1])
    return wanted.replace(
        libraries=last.libraries,
        labels=given["labels"] or last.labels,
        groups=given["groups"] or last.groups,
        folds=given["folds"] or last.folds,
    )


def shown_command() -> tuple[str, ...]:
    """Return the command line as it was typed, for the report, without a broker's password."""
    from workers.address import BrokerAddress

    words = ["chordal", *sys.argv[1:]]
    return tuple(BrokerAddress(url=word).shown if "://" in word and "@" in word else word for word in words)
