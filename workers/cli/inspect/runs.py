"""`chordal runs`: the runs of a home, and the deletion of old ones."""

from typing import TYPE_CHECKING, Any

import click

from workers.cli import options
from workers.cli.lookup import existing_home
from workers.cli.tables import console, show_rows

if TYPE_CHECKING:
    from storage.home import Home
    from workers.runs.retention import Pruned


@click.group()
def runs() -> None:
    """List the runs of a home, and delete old ones. The models that they made stay.

    \b
    For example:
        chordal runs list
        chordal runs delete 20260101-020304-ab12
        chordal runs prune --keep 30
    """


@runs.command("list")
@options.home
@options.as_json
def list_(home_path: str, *, as_json: bool) -> None:
    """List the runs over libraries, newest last: when, what, how far, and the model that each made."""
    home = existing_home(home_path, for_reading=True)
    wires = [_wire(home, run_id) for run_id in home.ledger.run_ids("library")]
    if as_json:
        options.emit({"runs": wires})
        return
    if not wires:
        console().print("no runs yet")
        return
    columns = ("run", "created", "recipe", "stage", "model")
    show_rows(columns, [tuple(str(wire[name] or "") for name in ("run_id", *columns[1:])) for wire in wires])


def _wire(home: "Home", run_id: str) -> dict[str, Any]:
    from workers.runs.state import RunState

    state = RunState.read(home, run_id)
    report = home.ledger.report(run_id) if state.has_report else None
    return {
        "run_id": run_id,
        "created": state.plan.created,
        "recipe": state.plan.recipe.name if state.plan.learn else None,
        "stage": state.stage,
        "model": report.model.version if report is not None else None,
        "libraries": list(state.plan.libraries),
    }


@runs.command()
@click.argument("run_ids", nargs=-1, required=True, metavar="RUN...")
@options.home
@options.as_json
def delete(run_ids: tuple[str, ...], home_path: str, *, as_json: bool) -> None:
    """Delete runs: their reports, trials and logs, not their models.

    A run that goes on, that made the champion or a model that a rollback may lead to, or whose scan is the newest of
    its library, stays: exit status 2, and none is deleted.
    """
    from workers.runs import retention

    show_pruned(retention.delete_runs(existing_home(home_path), run_ids), "run", as_json=as_json)


@runs.command()
@click.option("--keep", type=click.IntRange(min=1), required=True, metavar="N", help="How many of the newest stay.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@options.home
@options.as_json
def prune(keep: int, home_path: str, *, dry_run: bool, as_json: bool) -> None:
    """Delete all runs but the newest N and those that must stay, which are named with the reason."""
    from workers.runs import retention

    home = existing_home(home_path, for_reading=dry_run)
    show_pruned(retention.prune_runs(home, keep, is_trial=dry_run), "run", as_json=as_json, is_trial=dry_run)


def show_pruned(pruned: "Pruned", noun: str, *, as_json: bool, is_trial: bool = False) -> None:
    """Print what was deleted and what stayed."""
    from workers.runs.retention import describe_pruned

    if as_json:
        options.emit({**pruned.to_wire(), "dry_run": is_trial})
        return
    for line in describe_pruned(pruned, noun, is_trial=is_trial):
        click.echo(line)
