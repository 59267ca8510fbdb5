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
    from workers import reporting, stages
    from workers.cli.status import opened, pick_run

    context = opened(home)
    chosen = pick_run(context, run_id, purpose="library")
    if context.ledger.shard_count(chosen) is None:
        raise UsageError(f"run {chosen}: its scan did not end, so there is nothing to report; run it again")
    path = reporting.write(context, chosen)
    told: dict[str, Any] = {"run_id": chosen, "state": stages.current(context, chosen), "report": str(path)}
    if as_json:
        options.emit(told)
    else:
        click.echo(path)
