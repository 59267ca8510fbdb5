"""What `chordal schedule` shows."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import StoreError
from pipeline.passwords import without_password
from pipeline.text import printable
from workers.cli import options
from workers.cli.tables import console, show_facts

if TYPE_CHECKING:
    from storage.home import Home
    from workers.schedule.current import CurrentNight
    from workers.schedule.nights import NightResult, Nights, Schedule

SHOWN = 7
"""Nights that are listed."""


def show_schedule(home: "Home", *, as_json: bool) -> None:
    """Print what a home does each night, what goes on, who is told, and what came of the last nights."""
    from workers.notices.outbox import last_deliveries
    from workers.runs.active import active_runs
    from workers.schedule.cron import slot_after
    from workers.schedule.current import current_night
    from workers.schedule.nights import Nights
    from workers.service import state

    nights = Nights(home.path)
    known, now = nights.schedule(), datetime.now(UTC)
    following = None
    if known is not None and known.nightly is not None:
        following = slot_after(known.nightly, known.timezone, now)
    service = state.read(home.path)
    up = service is not None and service.alive
    runs = [run.run_id for run in active_runs(home)]
    results, current = nights.results(last=SHOWN, now=now), current_night(home, now)
    deliveries = last_deliveries(home.path)
    if as_json:
        options.emit(
            {
                "schedule": _public(known).to_wire() if known is not None else None,
                "next": following.isoformat() if following is not None else None,
                "service": up,
                "nights": [result.to_wire() for result in results],
                "died": service is not None and not up,
                "runs": runs,
                "current": current.to_wire() if current is not None else None,
                "notify": _notify(home),
                "deliveries": [delivery.to_wire() for delivery in deliveries],
            }
        )
        return
    if known is None:
        console().print("nothing is scheduled; `chordal schedule set --library DIR` begins")
        return
    facts = _facts(known, following)
    if current is not None:
        facts.append(("now", _describe_current(current, known)))
    facts += [("now", f"run {run_id} goes on") for run_id in runs if current is None or run_id != current.run_id]
    show_facts([*facts, *_recipients(home, known), *_records(nights, known, results, current)])
    if service is not None and not up:
        console().print(f"the service, process {service.process.pid}, died; `chordal up` starts it again")
    elif following is not None and not up:
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
    rules += [f"without {printable(pattern)}" for pattern in known.rules.exclude]
    rules += ["with what is hidden"] if known.rules.include_hidden else []
    rules += [] if known.rules.cue else ["albums left whole"]
    rules += [f"vocabulary {known.rules.vocabulary}"] if known.rules.vocabulary else []
    rules += ["all labels of a file"] if known.rules.multi else []
    rules += ["mono as from two loudspeakers"] if known.dual_mono else []
    return [
        ("nightly", nightly),
        *([("next", _local(following, known))] if following is not None else []),
        (
            "missed",
            f"a night whose hour passed while nothing was up is {missed}",
        ),
        *(("library", printable(library)) for library in known.libraries),
        ("recipe", f"{known.recipe}, {printable(', '.join(rules))}"),
        *([("keep", f"the newest {keep}, by the daily maintenance")] if (keep := _kept(known)) else []),
        *([("mlflow", without_password(known.tracking))] if known.tracking else []),
    ]


def _kept(known: "Schedule") -> str:
    """Return how many models and runs a schedule keeps, in words; an empty string for all."""
    kept = ((known.keep_models, "models"), (known.keep_runs, "runs"))
    return " and ".join(f"{count} {noun}" for count, noun in kept if count)


def _describe_current(night: "CurrentNight", known: "Schedule") -> str:
    from workers.schedule.current import describe_current

    slot, since = (_local(datetime.fromisoformat(each), known) for each in (night.slot, night.since))
    return f"the night of {slot} {describe_current(night)}" + (f", since {since}" if night.state == "runs" else "")


def _notify(home: "Home") -> dict[str, Any]:
    """Return who is told of nights, without secrets, and of what."""
    from workers.notices.outbox import Outbox

    try:
        known = Outbox(home.path).recipients()
    except StoreError as error:  # another user's
        return {"targets": [], "events": [], "error": str(error)}
    return {"targets": [each.target.masked for each in known.recipients], "events": list(known.events)}


def _recipients(home: "Home", known: "Schedule") -> list[tuple[str, str]]:
    """Return who is told of nights, and whether that worked the last time, for people."""
    from workers.notices.outbox import Outbox

    outbox = Outbox(home.path)
    try:
        told = outbox.recipients()
        last = [(each.target.masked, outbox.last_delivery(each)) for each in told.recipients]
    except StoreError as error:  # another user's
        return [("notify", str(error))]
    rows = []
    for target, delivery in last:
        rows.append(("notify", f"{target}, of {', '.join(told.events)}"))
        if delivery is not None:
            failed = f"failed: {delivery.reason}," if delivery.state == "failed" else "was delivered"
            at = _local(datetime.fromisoformat(delivery.at), known)
            rows.append(("", f"notice of {delivery.event} to {target} {failed} at {at}"))
    return rows


def _records(
    nights: "Nights", known: "Schedule", results: "list[NightResult]", current: "CurrentNight | None"
) -> list[tuple[str, str]]:
    from workers.schedule.nights import describe_night

    rows = []
    slot = nights.unsettled(datetime.now(UTC))
    if slot is not None and (current is None or datetime.fromisoformat(current.slot) != slot):
        rows.append((_local(slot, known), "begun"))
    rows += [(_local(datetime.fromisoformat(result.slot), known), describe_night(result)) for result in results]
    if (maintenance := nights.last_maintenance()) is not None:
        words = f"store {maintenance.compaction}, {maintenance.removed} files that nobody needs removed"
        deleted = ((maintenance.models, "model"), (maintenance.runs, "run"))
        words += "".join(f", {count} {noun}{'' if count == 1 else 's'} deleted" for count, noun in deleted if count)
        rows.append((_local(datetime.fromisoformat(maintenance.ended), known), words))
    return rows


def _local(moment: datetime, known: "Schedule") -> str:
    from workers.schedule.cron import zone

    return moment.astimezone(zone(known.timezone)).strftime("%a %Y-%m-%d %H:%M")
