"""`chordal track`: tell an MLflow of a run that is over."""

import click

from workers.cli import options


@click.command()
@click.option("--run", "run_id", metavar="ID", help="Which run.  [default: the last one that learned]")
@click.option(
    "--mlflow",
    envvar="CHORDAL_MLFLOW",
    show_envvar=True,
    metavar="URI",
    help="http://HOST:5000, sqlite:////PATH/mlflow.db.  [default: the one the run was asked to tell]",
)
@options.home
@options.as_json
def track(run_id: str | None, mlflow: str | None, home: str, *, as_json: bool) -> None:
    """Tell an MLflow of a run: its study, every trial with its curves, the scores, the report and the model.

    It is told once of a run, however often this is called.
    """
    from pipeline.errors import UsageError
    from workers.cli.lookup import opened, pick_run
    from workers.learning import mlflow_tracking

    doors = opened(home)
    if run_id is None:
        learned = [each for each in doors.ledger.run_ids("library") if doors.ledger.report(each) is not None]
        run_id = learned[-1] if learned else None
    chosen = pick_run(doors, run_id, purpose="library")
    address = mlflow or doors.ledger.plan(chosen).tracking
    if not address:
        raise UsageError("mlflow: no address given; name one with --mlflow or CHORDAL_MLFLOW")
    told = mlflow_tracking.track(doors, chosen, address)
    doors.ledger.put_tracked(chosen, told)
    if as_json:
        options.emit({"run_id": chosen, **told.to_wire()})
    else:
        click.echo(f"run {chosen}: {told.address} experiment {told.experiment}, run {told.run}")
