"""`chordal report`: write the report of a run again."""

import click

from pipeline.errors import UsageError
from workers.cli import options
from workers.cli.lookup import existing_home, pick_run


@click.command()
@click.option("--run", "run_id", metavar="ID", help="Which run.  [default: the last one]")
@options.home
@options.as_json
def report(run_id: str | None, home_path: str, *, as_json: bool) -> None:
    """Write the HTML report of a run again, and say where it is."""
    from workers.learning import report as learning_report
    from workers.processes.environment import prepare_process
    from workers.runs.state import RunState

    home = existing_home(home_path)
    prepare_process(home.path)
    run_id = pick_run(home, run_id, purpose="library")
    state = RunState.read(home, run_id)
    if state.shards is None:
        raise UsageError(f"run {run_id}: its scan did not end, so there is nothing to report; run it again")
    path = learning_report.write(home, run_id)
    if as_json:
        options.emit({"run_id": run_id, "state": state.stage, "report": str(path)})
    else:
        click.echo(path)
