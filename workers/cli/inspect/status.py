"""`chordal status`: how far a run is, the tracks of a home, and what is at work around them."""

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from pipeline.text import printable
from workers.cli import options
from workers.cli.inspect.trials import show_trials, trials_wire
from workers.cli.lookup import NoRunError, existing_home, pick_run
from workers.cli.tables import console, facts_table, show_facts

if TYPE_CHECKING:
    from storage.home import Home
    from workers.runs.figures import Figures

EVERY_S = 1.0


@click.command()
@click.option("--run", "run_id", metavar="ID", help="Which run.  [default: the last one]")
@click.option("--trials", "with_trials", is_flag=True, help="Also every trial: what it tried, its score, time, host.")
@click.option("--watch", is_flag=True, help="On a terminal: show it again every second, until the run ends.")
@options.home
@options.broker
@options.as_json
def status(
    run_id: str | None, home_path: str, broker: str | None, *, with_trials: bool, watch: bool, as_json: bool
) -> None:
    """Show where a run stands, and how many tracks of the home are in which state; live while it goes on.

    A home that can only be read will do, such as a copy. What cannot be read is named, and all else is shown.
    """
    home = existing_home(home_path, for_reading=True)
    from workers.cli.inspect.status_facts import read_status
    from workers.cli.inspect.status_rows import status_rows
    from workers.runs.figures import Figures

    figures = Figures()
    chosen = _pick(home, run_id, figures)
    if as_json:
        facts = read_status(home, chosen, broker, figures)
        if with_trials and chosen is not None:
            facts["search"] = figures.read("search", lambda: trials_wire(home, chosen), None)
            facts |= {"errors": figures.errors} if figures.errors else {}
        options.emit(facts)
        return
    if watch and sys.stdout.isatty():
        _watch(home, chosen, broker, figures)
    else:
        show_facts(status_rows(read_status(home, chosen, broker, figures)))
    if with_trials and chosen is not None:
        figures.read("search", lambda: show_trials(home, chosen), None)
        if "search" in figures.errors:
            show_facts([("search", f"cannot be read: {printable(figures.errors['search'])}")])


def _pick(home: "Home", run_id: str | None, figures: "Figures") -> str | None:
    """Return the id of the run to show; None for a home in which there is something else to tell of."""
    try:
        return pick_run(home, run_id, figures=figures)
    except NoRunError:
        if run_id is None and any((home.path / name).exists() for name in ("service.json", "schedule.json")):
            return None
        raise


def _watch(home: "Home", run_id: str | None, broker: str | None, found: "Figures") -> None:
    """Show the status again and again until the run or its live view ends, or Ctrl-C."""
    from rich.live import Live as Screen

    from workers.cli.inspect.status_facts import read_status
    from workers.cli.inspect.status_rows import status_rows
    from workers.runs.figures import Figures

    pause = threading.Event()
    with Screen(console=console(), auto_refresh=False) as screen, suppress(KeyboardInterrupt):
        while True:
            figures = Figures()
            figures.errors.update(found.errors)
            facts = read_status(home, run_id, broker, figures)
            screen.update(facts_table(status_rows(facts)), refresh=True)
            if "live" not in facts:
                return
            pause.wait(EVERY_S)
