"""`chordal run` and its parts: scan, extract, train."""

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import UsageError
from workers.cli import options
from workers.cli.runs.end_notice import tell_end
from workers.cli.runs.request import like_last_run, parse_request
from workers.processes import signals
from workers.processes.startup import limit_numpy_threads, quick_imports

if TYPE_CHECKING:
    from storage.home import Home
    from workers.runs.progress import View
    from workers.runs.request import RunRequest
    from workers.runs.run_notice import Work

Body = Callable[["Home", "RunRequest", "View"], dict[str, Any]]
"""What a command does in a home, and the summary that it returns."""


@click.command()
@click.argument("libraries", nargs=-1, type=options.PathName(), metavar="[LIBRARY...]")
@options.library_options
@options.work_options
@options.notify
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
    _run_command(given, _execute, work="run", makes_library=True)


@click.command()
@click.argument("libraries", nargs=-1, type=options.PathName(), required=True, metavar="LIBRARY...")
@options.library_options
@options.work_options
@options.notify
@options.home
@options.as_json
def extract(**given: Any) -> None:
    """Scan and extract only: bring the store up to date with the libraries."""
    _run_command(given, _execute, work="extract", learn=False)


@click.command()
@click.argument("libraries", nargs=-1, type=options.PathName(), metavar="[LIBRARY...]")
@options.library_options
@options.work_options
@options.notify
@options.home
@options.as_json
def train(**given: Any) -> None:
    """Learn from what is stored: trials, final training, evaluation, report. Extracts nothing.

    Without LIBRARY, the libraries, labels, groups and folds of the last run are used.
    """
    _run_command(given, _execute, work="train", extract=False)


@click.command()
@click.argument("libraries", nargs=-1, type=options.PathName(), required=True, metavar="LIBRARY...")
@options.library_options
@click.option(
    "--unlabelled", is_flag=True, help="Print the files without a label, a path on each line, and no summary."
)
@options.home
@options.as_json
def scan(**given: Any) -> None:
    """Look at the libraries: how many files, which labels, groups and folds. Extracts nothing.

    What was there at an earlier scan of the same folder and is gone now is marked deleted.
    """
    body = _scan_for_unlabelled if given["unlabelled"] else _scan
    _run_command({**given, "workers": None, "broker": None, "priority": "normal"}, body, extract=False, learn=False)


def _execute(home: "Home", request: "RunRequest", view: "View") -> dict[str, Any]:
    from workers.cli.runs.summary import run_summary
    from workers.runs.recipes import execute_recipes

    summaries = [run_summary(home, scanned) for scanned in execute_recipes(home, request, view)]
    for first, then in pairwise(summaries):
        first["then"] = then
    return summaries[0]


def _scan(home: "Home", request: "RunRequest", view: "View") -> dict[str, Any]:
    from workers.cli.runs.summary import scan_summary
    from workers.runs.scan import scan_libraries

    return scan_summary(home, scan_libraries(home, request, view))


def _scan_for_unlabelled(home: "Home", request: "RunRequest", view: "View") -> dict[str, Any]:
    from workers.cli.runs.summary import unlabelled_files

    summary = _scan(home, request, view)
    return {**summary, "unlabelled_files": unlabelled_files(home, summary["run_id"])}


def _run_command(
    given: dict[str, Any],
    body: Body,
    *,
    work: "Work" = "run",
    extract: bool = True,
    learn: bool = True,
    makes_library: bool = False,
) -> None:
    """Run a command's body in its home, with signals that stop it cleanly, and print its summary."""
    if not makes_library:
        limit_numpy_threads()
    with quick_imports():
        from pipeline.library import imported
        from storage.home import home_lock
        from workers.cli.runs.summary import show_summary
        from workers.notices.targets import parse_targets
        from workers.runs.progress import View
        from workers.runs.recipes import with_library
        from workers.service import state

    signals.listen()
    targets = parse_targets(given.get("notify", ()))
    home, request, service = parse_request(given, extract=extract, learn=learn)
    makes_library = makes_library and not request.libraries
    if not request.libraries and not makes_library:
        request = like_last_run(home, request, given)
    if imported.is_imported(request.libraries):
        roles = {name: given[name] for name in ("labels", "groups", "folds", "vocabulary")}
        imported.check_options(**roles, extract=extract)
        request = request.replace(labels=imported.LABELS)
    quiet = given["as_json"]
    with tell_end(home, targets, work):
        with home_lock(home.path, shared=request.broker is not None), View(quiet=quiet) as view:
            if service is not None:
                view.line(f"the service of this home (process {service.process.pid}) does the work")
            elif request.broker is None and state.find(home.path) is not None:
                raise UsageError(f"home {given['home_path']}: its service came up just now; the same command uses it")
            if makes_library:
                request = with_library(home, request, view)
            summary = body(home, request, view)
        if quiet:
            options.emit(summary)
        else:
            show_summary(summary)
