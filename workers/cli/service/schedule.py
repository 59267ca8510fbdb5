"""`chordal schedule`: nightly retraining, as the service of a home carries it out."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.clock import now
from pipeline.errors import StoreError, UsageError
from pipeline.text import describe_duration, printable
from workers.cli import options
from workers.cli.service.schedule_view import show_schedule

if TYPE_CHECKING:
    from pipeline.plans.scan_rules import ScanRules
    from workers.schedule.nights import Schedule

DEFAULT = "0 3 * * *"

library_options = (
    click.option("--library", "libraries", multiple=True, metavar="DIR", help="What to learn from; may be repeated."),
    click.option("--recipe", metavar="NAME|FILE", help="Read anew each night.  [default: default]"),
    click.option("--labels", metavar="SPEC", help="As for `chordal run`.  [default: folder]"),
    click.option("--groups", metavar="SPEC", help="As for `chordal run`."),
    click.option("--folds", metavar="SPEC", help="As for `chordal run`."),
    click.option("--layout", type=click.Choice(options.LAYOUT_NAMES), metavar="NAME", help="As for `chordal run`."),
    click.option(
        "--exclude", multiple=True, metavar="GLOB", help="As for `chordal run`; may be repeated; 'none' for none."
    ),
    click.option("--include-hidden/--no-include-hidden", default=None, help="As for `chordal run`.  [default: no]"),
    click.option(
        "--cue/--no-cue", default=None, help="Whether cue sheets cut albums, as for `chordal run`.  [default: yes]"
    ),
    click.option("--vocabulary", metavar="FILE", help="As for `chordal run`, read anew each night; 'none' for none."),
    click.option("--multi/--no-multi", default=None, help="As for `chordal run`.  [default: no]"),
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
    click.option(
        "--keep-models",
        type=click.IntRange(min=0),
        metavar="N",
        help="Delete all but the newest N models, the champion and what it may be rolled back to, daily; 0 keeps all.",
    ),
    click.option(
        "--keep-runs", type=click.IntRange(min=0), metavar="N", help="Delete all but the newest N runs; 0 keeps all."
    ),
    click.option("--dual-mono/--no-dual-mono", "dual_mono", default=None, help="As for `chordal run`."),
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
@click.option(
    "--notify",
    multiple=True,
    metavar="TARGET",
    help="Tell a command, https://HOST/PATH or mailto:SOMEBODY@HOST of what happens; may be repeated; 'none' for none.",
)
@click.option(
    "--notify-on",
    multiple=True,
    metavar="LIST",
    help="Of which events: failed, nothing_ran, model_changed, disk_low, recovered, finished; may be repeated.  "
    "[default: the first four]",
)
@options.home
@options.as_json
def set_(home_path: str, *, as_json: bool, **given: Any) -> None:
    """Say what to do each night. What is not given stays as it was."""
    from storage.home import prepare_home
    from workers.notices.notice import parse_events
    from workers.notices.outbox import Outbox
    from workers.notices.targets import parse_targets
    from workers.schedule import nightly
    from workers.schedule.nights import Nights

    notify, notify_on = given.pop("notify"), given.pop("notify_on")
    targets = parse_targets(notify) if notify else None
    events = parse_events(",".join(notify_on)) if notify_on else None
    home = prepare_home(home_path)
    nights = Nights(home.path)
    schedule = _merged(nights.schedule(), {name: value for name, value in given.items() if value not in {None, ()}})
    nightly.nightly_request(schedule, broker=None)  # a mistake in the recipe is reported now, not at night
    nights.put_schedule(schedule)
    if targets is not None or events is not None:
        Outbox(home.path).set_targets(targets, events)
    show_schedule(home, as_json=as_json)


@schedule.command("off")
@options.home
@options.as_json
def off(home_path: str, *, as_json: bool) -> None:
    """Train no more at night. The other settings are kept for the next `set`."""
    from storage.home import Home
    from workers.schedule.nights import Nights

    home = Home(Path(home_path).expanduser().absolute())
    nights = Nights(home.path)
    if (known := nights.schedule()) is not None:
        nights.put_schedule(known.replace(nightly=None))
    show_schedule(home, as_json=as_json)


@schedule.command("show")
@options.home
@options.as_json
def show(home_path: str, *, as_json: bool) -> None:
    """Show what is done each night, what goes on, when next, who is told, and what came of the last nights."""
    from storage.home import Home

    show_schedule(Home(Path(home_path).expanduser().absolute()), as_json=as_json)


@schedule.command("test-notify")
@options.home
@options.as_json
def test_notify(home_path: str, *, as_json: bool) -> None:
    """Tell everybody who is told of nights that this is a test, now; exit status 1 when somebody cannot be told."""
    from workers.notices.delivery import deliver_all
    from workers.notices.notice import new_notice
    from workers.notices.outbox import Outbox

    home = Path(home_path).expanduser().absolute()
    outbox = Outbox(home)
    recipients = outbox.recipients().recipients
    if not recipients:
        raise UsageError(f"home {printable(str(home))}: nobody is told; `chordal schedule set --notify TARGET`")
    notice = new_notice(
        event="test",
        title="chordal: a test",
        text="a test: whoever reads this is told what happens at night",
        work="night",
        home=printable(str(home)),
    )
    deliveries = deliver_all([recipient.target for recipient in recipients], notice)
    with suppress(StoreError):  # a home that is only looked at
        for recipient, delivery in zip(recipients, deliveries, strict=True):
            outbox.record(recipient, delivery)
    if as_json:
        options.emit({"deliveries": [delivery.to_wire() for delivery in deliveries]})
    else:
        for delivery in deliveries:
            state = "ok" if delivery.state == "delivered" else f"failed: {delivery.reason}"
            click.echo(f"{delivery.target}: {state} ({describe_duration(delivery.seconds)})")
    if any(delivery.state == "failed" for delivery in deliveries):
        sys.exit(1)


def _merged(known: "Schedule | None", given: dict[str, Any]) -> "Schedule":
    """Return a schedule with the options that were given.

    Raises `UsageError` for a cron expression, time zone or library that is none.
    """
    from workers.cli.runs.request import with_layout
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
    if "layout" in given:
        given = with_layout(
            {**given, "labels": given.get("labels"), "exclude": given.get("exclude", known.rules.exclude)}, libraries
        )
        given = {name: value for name, value in given.items() if name != "layout" and value is not None}
    known = known.replace(rules=_merged_rules(known.rules, given, libraries))
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


def _merged_rules(known: "ScanRules", given: dict[str, Any], libraries: tuple[str, ...]) -> "ScanRules":
    """Return the rules of a scan with the options that were given, which are taken out of them.

    Raises `UsageError` for a pattern that is none.
    """
    from pipeline.library.folders.exclusions import parse_patterns
    from workers.cli.runs.request import vocabulary_place

    changes = {name: given.pop(name) for name in known.__struct_fields__ if name in given}
    if changes.get("exclude") == ("none",):
        changes["exclude"] = ()
    for library in libraries:
        parse_patterns(changes.get("exclude", ()), library)
    if "vocabulary" in changes:
        changes["vocabulary"] = vocabulary_place(changes["vocabulary"])
    return known.replace(**changes)


def _local_zone() -> str:
    from zoneinfo import ZoneInfoNotFoundError

    from tzlocal import get_localzone_name

    try:
        return get_localzone_name() or "UTC"
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"  # a container without a time zone
