"""`chordal run` and its parts: scan, extract, train."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.cli import options
from workers.cli.runs.request import like_last_run, prepared

if TYPE_CHECKING:
    from workers.runs import request
    from workers.runs.progress import View

# Celery, NumPy and the rest are imported by the functions below: the help and the shell's completion answer at once.

Body = Callable[[Path, "request.RunRequest", "View"], dict[str, Any]]


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


def _whole(home: Path, wanted: "request.RunRequest", view: "View") -> dict[str, Any]:
    from workers.cli.runs import summary
    from workers.runs import recipes

    told = [summary.of_run(home, finished) for finished in recipes.carry_out(home, wanted, view)]
    for first, then in pairwise(told):
        first["then"] = then
    return told[0]


def _scan_only(home: Path, wanted: "request.RunRequest", view: "View") -> dict[str, Any]:
    from storage.home import Home
    from workers.cli.runs import summary
    from workers.runs import scan as runs_scan

    finished = runs_scan.scan_libraries(Home(home), wanted, view)
    return summary.of_scan(home, finished)


def _carry_out(
    given: dict[str, Any], body: Body, *, extract: bool = True, learn: bool = True, makes_library: bool = False
) -> None:
    """Run a command's body in its home, with signals that stop it cleanly, and print its summary."""
    from pipeline.errors import UsageError
    from pipeline.library import imported
    from storage.home import only_one
    from workers.cli.runs import summary
    from workers.processes import signals
    from workers.runs import recipes
    from workers.runs.progress import View
    from workers.service import state

    signals.listen()
    home, wanted, served = prepared(given, extract=extract, learn=learn)
    makes_library = makes_library and not wanted.libraries
    if not wanted.libraries and not makes_library:
        wanted = like_last_run(home, wanted, given)
    if imported.is_imported(wanted.libraries):
        imported.check_options(labels=given["labels"], groups=given["groups"], folds=given["folds"], extract=extract)
        wanted = wanted.replace(labels=imported.LABELS)
    quiet = given["as_json"]
    with only_one(home, shared=wanted.broker is not None), View(quiet=quiet) as view:
        if served is not None:
            view.line(f"the service of this home (process {served.process.pid}) does the work")
        elif wanted.broker is None and state.find(home) is not None:
            raise UsageError(f"home {given['home']}: its service came up just now; the same command uses it")
        if makes_library:
            wanted = recipes.with_library(home, wanted, view)
        told = body(home, wanted, view)
    if quiet:
        options.emit(told)
    else:
        summary.show(told)
