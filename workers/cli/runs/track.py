"""`chordal track`: tell an MLflow of a run that is over."""

import click

from pipeline.errors import UsageError
from workers.cli import options
from workers.cli.lookup import existing_home, pick_run


@click.command()
@click.option("--run", "run_id", metavar="ID", help="Which run.  [default: the last one that learned]")
@click.option(
    "--mlflow",
    envvar="CHORDAL_MLFLOW",
    show_envvar=True,
    metavar="URI",
    help="http://HOST:5000, sqlite:////PATH/mlflow.db.  [default: the one given to the run]",
)
@options.home
@options.as_json
def track(run_id: str | None, mlflow: str | None, home_path: str, *, as_json: bool) -> None:
    """Tell an MLflow of a run: its study, every trial with its curves, the scores, the report and the model.

    A run is recorded there once, however often this is called.
    """
    from workers.learning import mlflow_tracking

    home = existing_home(home_path)
    if run_id is None:
        learned = [each for each in home.ledger.run_ids("library") if home.ledger.report(each) is not None]
        run_id = learned[-1] if learned else None
    run_id = pick_run(home, run_id, purpose="library")
    address = mlflow or home.ledger.plan(run_id).tracking
    if not address:
        raise UsageError("mlflow: no address given; name one with --mlflow or CHORDAL_MLFLOW")
    tracked = mlflow_tracking.track(home, run_id, address)
    home.ledger.put_mlflow_record(run_id, tracked)
    if as_json:
        options.emit({"run_id": run_id, **tracked.to_wire()})
    else:
        click.echo(f"run {run_id}: {tracked.address} experiment {tracked.experiment}, run {tracked.run}")
