"""`chordal schedule`: nightly retraining, as the service of a home carries it out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.clock import now
from pipeline.errors import UsageError
from pipeline.passwords import without_password
from pipeline.text import printable
from workers.cli import options
from workers.cli.lookup import existing_home
from workers.cli.tables import console, show_facts

if TYPE_CHECKING:
    from storage.home import Home
    from workers.schedule.nights import NightResult, Nights, Schedule

SHOWN = 7
"""Nights that `show` lists."""

DEFAULT = "0 3 * * *"

library_options = (
    click.option("--library", "libraries", multiple=True, metavar="DIR", help="What to learn from; may be repeated."),
    click.option("--recipe", metavar="NAME|FILE", help="Read anew each night.  [default: default]"),
    click.option("--labels", metavar="SPEC", help="As for `chordal run`.  [default: folder]"),
    click.option("--groups", metavar="SPEC", help="As for `chordal run`."),
    click.option("--folds", metavar="SPEC", help="As for `chordal run`."),
    click.option("--seed", type=int, help="As for `chordal run`.  [default: 1]"),
    click.option("--trials", type=click.IntRange(min=1), metavar="N", help="Overrides the recipe's number of trials."),
    click.option("--mlflow", "tracking", metavar="URI", help="As for `chordal run`; 'none' for none."),
    click.option(
        "--max-duration",
        "max_duration_s",
        type=click.FloatRange(min=1),
        metavar="SECONDS",
        help="As for `chordal run`.",
    ),
)


def with_library_options(command: Any) -> Any:
    """Add the options of a nightly run."""
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
def set_(home_path: str, *, as_json: bool, **given: Any) -> None:
    """Say what to do each night. What is not given stays as it was."""
    from storage.home import prepare_home
    from workers.schedule import nightly
    from workers.schedule.nights import Nights

    home = prepare_home(home_path)
    nights = Nights(home.path)
    schedule = _merged(nights.schedule(), {name: value for name, value in given.items() if value not in {None, ()}})
    nightly.nightly_request(schedule, broker=None)  # a mistake in the recipe is reported now, not at night
    nights.put_schedule(schedule)
    _show(home, nights, as_json=as_json)


@schedule.command("off")
@options.home
@options.as_json
def off(home_path: str, *, as_json: bool) -> None:
    """Train no more at night. The other settings are kept for the next `set`."""
    from workers.schedule.nights import Nights

    home = existing_home(home_path)
    nights = Nights(home.path)
    if (known := nights.schedule()) is not None:
        nights.put_schedule(known.replace(nightly=None))
    _show(home, nights, as_json=as_json)


@schedule.command("show")
@options.home
@options.as_json
def show(home_path: str, *, as_json: bool) -> None:
    """Show what is done each night, when next, and what came of the last nights."""
    from storage.home import Home
    from workers.schedule.nights import Nights

    home = Home(Path(home_path).expanduser().absolute())
    _show(home, Nights(home.path), as_json=as_json)


def _merged(known: "Schedule | None", given: dict[str, Any]) -> "Schedule":
    """Return a schedule with the options that were given.

    Raises `UsageError` for a cron expression, time zone or library that is none.
    """
    from workers.learning.mlflow_tracking import require_client
    from workers.schedule.cron import check_cron, zone
    from workers.schedule.nights import Schedule

    since = now()
    if known is None:
        known = Schedule(since=since, timezone=_local_zone())
    libraries = tuple(str(Path(library).expanduser().absolute()) for library in given.pop("libraries", known.libraries))
    for library in libraries:
        if not Path(library).is_dir():
            raise UsageError(f"library {printable(library)}: is no folder here")
    if not libraries:
        raise UsageError("schedule: no library yet; name one with --library")
    if given.get("tracking") == "none":
        known, _ = known.replace(tracking=None), given.pop("tracking")
    elif given.get("tracking"):
        require_client(str(given["tracking"]))
    if (recipe := given.get("recipe")) is not None and Path(recipe).is_file():
        given["recipe"] = str(Path(recipe).absolute())
    schedule = known.replace(**{"nightly": known.nightly or DEFAULT, **given}, libraries=libraries)
    check_cron(str(schedule.nightly))
    zone(schedule.timezone)
    if (schedule.nightly, schedule.timezone) != (known.nightly, known.timezone):
        schedule = schedule.replace(since=since)  # hours that passed before were never scheduled
    return schedule


def _local_zone() -> str:
    from zoneinfo import ZoneInfoNotFoundError

    from tzlocal import get_localzone_name

    try:
        return get_localzone_name() or "UTC"
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"  # a container without a time zone


def _show(home: "Home", nights: "Nights", *, as_json: bool) -> None:
    from workers.schedule.cron import slot_after
    from workers.service import state

    known = nights.schedule()
    following = None
    if known is not None and known.nightly is not None:
        following = slot_after(known.nightly, known.timezone, datetime.now(UTC))
    service = state.read(home.path)
    up = service is not None and service.alive
    results = nights.results(last=SHOWN)
    if as_json:
        options.emit(
            {
                "schedule": _public(known).to_wire() if known is not None else None,
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


def _public(known: "Schedule") -> "Schedule":
    """Return a schedule as it may be shown."""
    return known if known.tracking is None else known.replace(tracking=without_password(known.tracking))


def _facts(known: "Schedule", following: datetime | None) -> list[tuple[str, str]]:
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
    if (maintenance := nights.last_maintenance()) is not None:
        words = f"store {maintenance.compaction}, {maintenance.removed} files that nobody needs removed"
        rows.append((_local(datetime.fromisoformat(maintenance.ended), known), words))
    return rows


def _local(moment: datetime, known: "Schedule") -> str:
    from workers.schedule.cron import zone

    return moment.astimezone(zone(known.timezone)).strftime("%a %Y-%m-%d %H:%M")
