"""`chordal report`: write the report of a run again."""

from typing import Any

import click

from pipeline.errors import UsageError
from workers.cli import options


@click.command()
@click.option("--run", "run_id", metavar="ID", help="Which run.  [default: the last one]")
@options.home
@options.as_json
def report(run_id: str | None, home: str, *, as_json: bool) -> None:
    """Write the HTML report of a run again, and say where it is."""
    from workers.cli.lookup import opened, pick_run
    from workers.learning import report as learning_report
    from workers.runs.state import RunState

    context = opened(home)
    chosen = pick_run(context, run_id, purpose="library")
    state = RunState.read(context, chosen)
    if state.shards is None:
        raise UsageError(f"run {chosen}: its scan did not end, so there is nothing to report; run it again")
    path = learning_report.write(context, chosen)
    told: dict[str, Any] = {"run_id": chosen, "state": state.stage, "report": str(path)}
    if as_json:
        options.emit(told)
    else:
        click.echo(path)
