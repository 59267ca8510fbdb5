"""`chordal status`: how far a run is, and the tracks of a home."""

import sys
from typing import TYPE_CHECKING, Any

import click

from pipeline.text import printable
from workers.cli import options
from workers.cli.inspect.trials import show_trials, trials_wire
from workers.cli.lookup import existing_home, pick_run

if TYPE_CHECKING:
    from workers.runs.state import RunState


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
    """Show where a run stands, and how many tracks of the home are in which state; live while it goes on."""
    home = existing_home(home_path)
    from workers.cli.inspect.run_view import live_run, show_run
    from workers.runs.state import RunState

    run_id = pick_run(home, run_id)
    if as_json:
        state = RunState.read(home, run_id)
        live = live_run(state, broker)
        trials = {"search": trials_wire(home, run_id)} if with_trials else {}
        facts = _status(state) | trials
        if live is not None:
            from workers.cli.inspect.live import live_wire  # with redis and kombu

            facts["live"] = live_wire(live)
        options.emit(facts)
    else:
        show_run(home, run_id, broker, _facts, watch=watch and sys.stdout.isatty())
        if with_trials:
            show_trials(home, run_id)


def _facts(state: "RunState") -> list[tuple[str, str]]:
    return [(name, _words(value)) for name, value in _status(state).items()]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{what} {count}" for what, count in value.items())
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.1%}" if isinstance(value, float) else str(value)


def _status(state: "RunState") -> dict[str, Any]:
    from workers.service import state as service_state

    home, run_id = state.home, state.plan.run_id
    facts: dict[str, Any] = {
        "run_id": run_id,
        "stage": state.stage,
        "started": state.plan.created,
        "libraries": [printable(library) for library in state.plan.libraries],
        "shards": {"scanned": state.shards_written, "sealed": len(state.sealed)},
        "tracks": state.tracks,
        "ledger": home.tracks.counts(),
        "trials": {"requested": len(state.trials or ()), "ended": len(state.ended_trials)},
        "seconds": state.seconds,
    }
    if service := service_state.summary(home.path):
        facts["service"] = service
    if state.failure is not None:
        facts["failure"] = state.failure
    if (report := home.ledger.report(run_id)) is not None:
        facts["test_accuracy"] = report.test.accuracy
        facts["model"] = report.model.version
        facts["report"] = str(home.ledger.path(run_id) / "report.html")
    return facts
