"""`chordal pause`, `resume`, `throttle`, `cancel`: controlling the runs of a home."""

from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import UsageError
from workers.cli import options
from workers.cli.lookup import existing_home, pick_run

if TYPE_CHECKING:
    from workers.app.controls import Controls


@click.command()
@options.home
@options.as_json
def pause(home_path: str, *, as_json: bool) -> None:
    """Let the workers of a home finish the files at hand and start nothing new until `chordal resume`."""
    changed = _change(home_path, paused=True)
    _show(changed, "paused: what is being worked on is finished, the rest waits for `chordal resume`", as_json=as_json)


@click.command()
@options.home
@options.as_json
def resume(home_path: str, *, as_json: bool) -> None:
    """Let the workers of a home go on after `chordal pause`; what else `throttle` set stays."""
    changed = _change(home_path, paused=False)
    _show(changed, "resumed", as_json=as_json)


@click.command()
@click.option("--nice", type=click.IntRange(0, 19), metavar="N", help="Politeness of the worker processes, 0 to 19.")
@click.option("--io", type=click.Choice(["normal", "idle"]), help="idle: use the disk when nobody else does (Linux).")
@click.option("--files-per-minute", metavar="N|none", help="How many files all workers together start in a minute.")
@click.option("--hours", metavar="HH:MM-HH:MM|none", help="When work may be started, in each worker's local time.")
@click.option("--show", is_flag=True, help="Show the controls, change nothing.")
@options.home
@options.as_json
def throttle(
    nice: int | None,
    io: Any,
    files_per_minute: str | None,
    hours: str | None,
    home_path: str,
    *,
    show: bool,
    as_json: bool,
) -> None:
    """Share the machine and the disk; followed within seconds, by runs that go on and by later ones.

    \b
    For example:
        chordal throttle --nice 19 --io idle --hours 22:00-06:00
        chordal throttle --files-per-minute 120
        chordal throttle --nice 0 --io normal --files-per-minute none --hours none
    """
    from workers.app import controls

    changes: dict[str, Any] = {}
    if nice is not None:
        changes["nice"] = nice
    if io is not None:
        changes["io"] = io
    if files_per_minute is not None:
        changes["files_per_minute"] = _parse_rate(files_per_minute)
    if hours is not None:
        changes["hours"] = None if hours == "none" else controls.parse_hours(hours)
    if show == bool(changes):
        raise UsageError("throttle: say what to change (--nice, --io, --files-per-minute, --hours), or --show alone")
    changed = _change(home_path, **changes)
    _show(changed, f"controls: {controls.describe(changed)}", as_json=as_json)


@click.command()
@click.argument("run_id", required=False, metavar="[RUN]")
@options.home
@options.broker
@options.as_json
def cancel(run_id: str | None, home_path: str, broker: str | None, *, as_json: bool) -> None:
    """End a run soon: the files at hand are finished, what is done is kept, and a later run goes on from there.

    Without RUN, the one that goes on in the home. With --broker, also one whose command is gone.
    """
    from workers.broker import health
    from workers.broker.address import BrokerAddress
    from workers.runs import cancel as runs_cancel
    from workers.runs.active import pick_active_run
    from workers.runs.state import ENDS, RunState

    home = existing_home(home_path)
    if broker is not None:
        given = BrokerAddress.parse(broker)
        health.require(given)
        address: BrokerAddress | None = given
        run_id = pick_run(home, run_id)
    else:
        run_id = pick_run(home, run_id) if run_id is not None else None
        active = pick_active_run(home, run_id)
        run_id, address = active.run_id, active.broker
    stage = RunState.read(home, run_id).stage
    if stage in ENDS:
        raise UsageError(f"run {run_id}: {stage} already")
    runs_cancel.cancel(home, run_id, address)
    if as_json:
        options.emit({"run_id": run_id, "stage": RunState.read(home, run_id).stage})
    else:
        click.echo(f"run {run_id}: cancelled; what is done is kept, and the same command goes on from there")


def _parse_rate(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isascii() or not text.isdigit() or not int(text):
        raise UsageError(f"files-per-minute {text}: not a number; give 1 or more, or none. `chordal pause` holds all")
    return int(text)


def _change(home_path: str, **changes: Any) -> "Controls":
    from workers.app import controls

    folder = existing_home(home_path).path
    changed = controls.load(folder)
    if changes:
        changed = changed.replace(**changes)
        controls.save(folder, changed)
    return changed


def _show(controls: "Controls", line: str, *, as_json: bool) -> None:
    if as_json:
        options.emit(controls.to_wire())
    else:
        click.echo(line)
