"""`chordal status`, `failures`, `retry`, `recipes`: what a home holds."""

import sys
from typing import TYPE_CHECKING, Any

import click

from pipeline.text import printable
from workers.cli import options
from workers.cli.inspect.trials import show_trials, trials_wire
from workers.cli.lookup import opened, pick_run

if TYPE_CHECKING:
    from storage.home import Home


@click.command()
@click.option("--run", "run_id", metavar="ID", help="Which run.  [default: the last one]")
@click.option("--trials", "with_trials", is_flag=True, help="Also every trial: what it tried, its score, time, host.")
@click.option("--watch", is_flag=True, help="On a terminal: show it again every second, until the run ends.")
@options.home
@options.broker
@options.as_json
def status(run_id: str | None, home: str, broker: str | None, *, with_trials: bool, watch: bool, as_json: bool) -> None:
    """Show where a run stands, and how many tracks of the home are in which state; live while it goes on."""
    from workers.cli.inspect import live as inspect_live

    context = opened(home)
    run_id = pick_run(context, run_id)
    if as_json:
        live = inspect_live.live_run(context, run_id, broker)
        trials = {"search": trials_wire(context, run_id)} if with_trials else {}
        options.emit(_status(context, run_id) | trials | ({"live": inspect_live.wire(live)} if live else {}))
    else:
        inspect_live.show(context, run_id, broker, lambda: _facts(context, run_id), watch=watch and sys.stdout.isatty())
        if with_trials:
            show_trials(context, run_id)


def _facts(home: "Home", run_id: str) -> list[tuple[str, str]]:
    return [(name, _told(value)) for name, value in _status(home, run_id).items()]


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{what} {count}" for what, count in value.items())
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.1%}" if isinstance(value, float) else str(value)


def _status(home: "Home", run_id: str) -> dict[str, Any]:
    from workers.runs.state import RunState
    from workers.service import state as service_state

    state = RunState.read(home, run_id)
    told: dict[str, Any] = {
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
    if up := service_state.describe(home.path):
        told["service"] = up
    if state.failure is not None:
        told["failure"] = state.failure
    if (report := home.ledger.report(run_id)) is not None:
        told["test_accuracy"] = report.test.accuracy
        told["model"] = report.model.version
        told["report"] = str(home.ledger.path(run_id) / "report.html")
    return told
