"""`chordal schedule`: nightly retraining, as the service of a home carries it out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.cli import options

if TYPE_CHECKING:
    from workers.schedule.nights import NightResult, Nights, Schedule

SHOWN = 7
"""Nights that `show` tells of."""

DEFAULT = "0 3 * * *"

library_options = (
    click.option("--library", "libraries", multiple=True, metavar="DIR", help="What to learn from; may be repeated."),
    click.option("--recipe", metavar="NAME|FILE", help="Read anew each night.  [default: default]"),
    click.option("--labels", metavar="SPEC", help="As for `chordal run`.  [default: folder]"),
    click.option("--groups", metavar="SPEC", help="As for `chordal run`."),
    click.option("--folds", metavar="SPEC", help="As for `chordal run`."),
    click.option("--seed", type=int, help="As for `chordal run`.  [default: 1]"),
    click.option("--trials", type=click.IntRange(min=1), metavar="N", help="Overrides the recipe's number of trials."),
    click.option("--mlflow", "tracking", metavar="URI", help="As for `chordal run`; 'none' tells nobody."),
    click.option(
        "--max-duration",
        "max_duration_s",
        type=click.FloatRange(min=1),
        metavar="SECONDS",
        help="As for `chordal run`.",
    ),
)


def with_library_options(command: Any) -> Any:
    """Add what a nightly run is asked to do."""
    for option in reversed(library_options):
        command = option(command)
    return command


@click.group(invoke_without_command=False)
def schedule() -> None:
    """Train anew every night; done by the service of the home (`chordal up`).

    \b
    For example:
        chordal schedule set --library ~/Music --labels tag:genre --groups tag:artist
        chordal schedule set --nightly '30 2 * * MON-FRI' --timezone Europe/Berlin
        chordal schedule show
    """


@schedule.command("set")
@click.option("--nightly", metavar="CRON", help=f"Minute, hour, day, month, weekday.  [default: '{DEFAULT}']")
@click.option("--timezone", metavar="NAME", help="Whose hours these are, e.g. Europe/Berlin.  [default: this host's]")
@with_library_options
@click.option(
    "--missed",
    type=click.Choice(["run", "skip"]),
    help="What becomes of a night whose hour passed while the service was down.  [default: run]",
)
@click.option(
    "--reconcile",
    "reconcile_s",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="How often to look for a run whose command died, to bring it to its end.  [default: 300]",
)
@options.home
@options.as_json
def set_(home: str, *, as_json: bool, **asked: Any) -> None:
    """Say what to do each night. What is not given stays as it was."""
    from storage.home import prepare_home
    from workers.schedule import nightly
    from workers.schedule.nights import Nights

    path = prepare_home(home)
    nights = Nights(path)
    wanted = _merged(nights.schedule(), {name: value for name, value in asked.items() if value not in {None, ()}})
    nightly.nightly_request(wanted, broker=None)  # a mistake in the recipe is told now, not at night
    nights.ask_for(wanted)
    _show(path, nights, as_json=as_json)


@schedule.command("off")
@options.home
@options.as_json
def off(home: str, *, as_json: bool) -> None:
    """Train no more at night. What was asked for is kept for the next `set`."""
    from workers.cli.lookup import opened
    from workers.schedule.nights import Nights

    path = opened(home).path
    nights = Nights(path)
    if (known := nights.schedule()) is not None:
        nights.ask_for(known.replace(nightly=None))
    _show(path, nights, as_json=as_json)


@schedule.command("show")
@options.home
@options.as_json
def show(home: str, *, as_json: bool) -> None:
    """Show what is done each night, when next, and what came of the last nights."""
    from workers.schedule.nights import Nights

    path = Path(home).expanduser().absolute()
    _show(path, Nights(path), as_json=as_json)


def _merged(known: "Schedule | None", asked: dict[str, Any]) -> "Schedule":
    """Return a schedule with what was asked for.

    Raises `UsageError` for a cron expression, time zone or library that is none.
    """
    from pipeline.errors import UsageError
    from pipeline.text import printable
    from workers.learning.mlflow_tracking import require_client
    from workers.schedule.cron import check_cron, zone
    from workers.schedule.nights import Schedule

    now = datetime.now(UTC).isoformat(timespec="seconds")
    if known is None:
        known = Schedule(since=now, timezone=_local_zone())
    libraries = tuple(str(Path(library).expanduser().absolute()) for library in asked.pop("libraries", known.libraries))
    for library in libraries:
        if not Path(library).is_dir():
            raise UsageError(f"library {printable(library)}: is no folder here")
    if not libraries:
        raise UsageError("schedule: no library yet; name one with --library")
    if asked.get("tracking") == "none":
        known, _ = known.replace(tracking=None), asked.pop("tracking")
    elif asked.get("tracking"):
        require_client(str(asked["tracking"]))
    if (recipe := asked.get("recipe")) is not None and Path(recipe).is_file():
        asked["recipe"] = str(Path(recipe).absolute())
    wanted = known.replace(**{"nightly": known.nightly or DEFAULT, **asked}, libraries=libraries)
    check_cron(str(wanted.nightly))
    zone(wanted.timezone)
    if (wanted.nightly, wanted.timezone) != (known.nightly, known.timezone):
        wanted = wanted.replace(since=now)  # hours that passed before were never asked for
    return wanted


def _local_zone() -> str:
    from zoneinfo import ZoneInfoNotFoundError

    from tzlocal import get_localzone_name

    try:
        return get_localzone_name() or "UTC"
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"  # a container without a time zone


def _show(home: Path, nights: "Nights", *, as_json: bool) -> None:
    from workers.cli.tables import console, show_facts
    from workers.schedule.cron import slot_after
    from workers.service import state

    known = nights.schedule()
    following = None
    if known is not None and known.nightly is not None:
        following = slot_after(known.nightly, known.timezone, datetime.now(UTC))
    found = state.read(home)
    up = found is not None and found.alive
    results = nights.results(last=SHOWN)
    if as_json:
        options.emit(
            {
                "schedule": known.to_wire() if known is not None else None,
                "next": following.isoformat() if following is not None else None,
                "service": up,
                "nights": [result.to_wire() for result in results],
            }
        )
        return
    if known is None:
        console().print("nothing is scheduled; `chordal schedule set --library DIR` begins")
        return
    show_facts([*_facts(known, following), *_records(nights, known, results)])
    if following is not None and not up:
        console().print("no service is up, and without one nothing is done: `chordal up`")


def _facts(known: "Schedule", following: datetime | None) -> list[tuple[str, str]]:
    from pipeline.text import printable
    from workers.learning.mlflow_tracking import without_password
    from workers.schedule.cron import check_cron

    nightly = "off"
    if known.nightly is not None:
        nightly = f"{known.nightly}  ({check_cron(known.nightly).lower()}, {known.timezone})"
    missed = {"run": "run at the next start", "skip": "skipped"}[known.missed]
    rules = [f"{name} {value}" for name in ("labels", "groups", "folds") if (value := getattr(known, name))]
    return [
        ("nightly", nightly),
        *([("next", _local(following, known))] if following is not None else []),
        (
            "missed",
            f"a night whose hour passed while nothing was up is {missed}",
        ),
        *(("library", printable(library)) for library in known.libraries),
        ("recipe", f"{known.recipe}, {printable(', '.join(rules))}"),
        *([("mlflow", without_password(known.tracking))] if known.tracking else []),
    ]


def _records(nights: "Nights", known: "Schedule", results: "list[NightResult]") -> list[tuple[str, str]]:
    from workers.schedule.nights import describe_night

    rows = []
    if (slot := nights.unsettled()) is not None:
        rows.append((_local(slot, known), "begun"))
    rows += [(_local(datetime.fromisoformat(result.slot), known), describe_night(result)) for result in results]
    if (tidied := nights.tidied()) is not None:
        told = f"store {tidied.compaction}, {tidied.removed} files that nobody needs removed"
        rows.append((_local(datetime.fromisoformat(tidied.ended), known), told))
    return rows


def _local(moment: datetime, known: "Schedule") -> str:
    from workers.schedule.cron import zone

    return moment.astimezone(zone(known.timezone)).strftime("%a %Y-%m-%d %H:%M")
