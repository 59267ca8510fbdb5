"""`chordal report`: write the report of a run again."""

import os
from typing import TYPE_CHECKING

import click

from pipeline.errors import UsageError
from pipeline.text import printable
from workers.cli import options
from workers.cli.lookup import existing_home, output_path, pick_run

if TYPE_CHECKING:
    from workers.runs.figures import Figures


@click.command()
@click.option("--run", "run_id", metavar="ID", help="Which run.  [default: the last one]")
@click.option("--out", metavar="FILE", help="Write it there.  [default: beside the run, in the home]")
@options.home
@options.as_json
def report(run_id: str | None, out: str | None, home_path: str, *, as_json: bool) -> None:
    """Write the HTML report of a run again, and say where it is.

    In a home that can only be read, it says where the report is that the run wrote; --out writes another one
    elsewhere. What cannot be read is named and left out, and a report that is there already is kept then.
    """
    from workers.learning import report as learning_report
    from workers.processes.environment import prepare_process
    from workers.runs.figures import Figures
    from workers.runs.state import RunState

    home = existing_home(home_path, for_reading=True)
    prepare_process(home.path)
    figures = Figures()
    run_id = pick_run(home, run_id, purpose="library")
    state = RunState.read(home, run_id, figures)
    if state.shards is None and "shards" not in figures.errors:
        raise UsageError(f"run {run_id}: its scan did not end, so there is nothing to report; run it again")
    path = home.ledger.path(run_id) / "report.html" if out is None else output_path(out)
    can_write = out is not None or os.access(path.parent, os.W_OK)
    if not can_write and not path.exists():
        raise UsageError(
            f"home {printable(str(home.path))}: can only be read, and run {run_id} has no report yet; give --out FILE"
        )
    written = can_write
    if can_write:
        content, sections = learning_report.read_page(home, run_id, figures)
        # One that is whole is worth more.
        written = out is not None or not figures.errors or not path.exists()
        if written:
            learning_report.write_page(path, content, sections)
    _show_remarks(figures, can_write=can_write, written=written)
    if as_json:
        facts = {"run_id": run_id, "state": state.stage, "report": str(path)}
        remarks = {} if written else {"written": False}
        options.emit({**facts, **remarks, **({"errors": figures.errors} if figures.errors else {})})
    else:
        click.echo(printable(str(path)))


def _show_remarks(figures: "Figures", *, can_write: bool, written: bool) -> None:
    """Tell on standard error what is not as one expects."""
    for name, reason in figures.errors.items():
        click.echo(f"{name} cannot be read: {printable(reason)}", err=True)
    if not written:
        why = "the rest is less than that" if can_write else "the home can only be read"
        click.echo(f"{why}: this is the report as it was; --out FILE writes another one", err=True)
