"""The notices of nights: what is told of a result, and of a night that does not come to one."""

from datetime import datetime
from typing import Any

from pipeline.text import printable
from storage.home import Home
from workers.notices.notice import Event, Notice, new_notice, split_mend
from workers.runs.run_notice import describe_champion, describe_model, run_facts
from workers.runs.state import describe_counts
from workers.schedule.cron import zone
from workers.schedule.current import CurrentNight, describe_current
from workers.schedule.nights import SWITCHED_OFF, NightResult, Schedule

MEND = "`chordal schedule show`, `chordal status` and logs/conduct.log in the home tell more"

STALLED_S = 600.0
"""How long nobody may begin a night, or go on with it, before that is told."""
WAITS_S = 3600.0
"""How long a night may wait for another run before that is told."""


def result_event(result: NightResult, before: NightResult | None, events: tuple[Event, ...]) -> Event | None:
    """Return the most telling of the wanted events that a night's result is, if it is one.

    `before` is the result of the night before it.
    """
    if result.state == "failed":
        fitting: tuple[Event, ...] = ("failed",)
    elif result.state == "skipped":
        fitting = () if result.reason == SWITCHED_OFF else ("nothing_ran",)
    else:
        fitting = (
            *(("model_changed",) if result.verdict == "promoted" else ()),
            *(("recovered",) if before is not None and before.state == "failed" else ()),
            "finished",
        )
    return next((event for event in fitting if event in events), None)


def result_notice(home: Home, schedule: Schedule, result: NightResult, event: Event) -> Notice:
    """Return the notice of a night's result."""
    facts = run_facts(home, result.run_id)
    facts["tracks"] = facts.get("tracks") or result.tracks
    if result.champion is not None:
        facts["champion"] = result.champion  # when the night was over
    night = _night(schedule, result.slot)
    reason, mend = split_mend(result.reason) if result.reason else ("", "")
    text = {
        "failed": f"the night of {night} failed: {reason}",
        "nothing_ran": f"nothing ran in the night of {night}: {reason}",
        "model_changed": f"since the night of {night} the champion is {describe_champion(facts)}",
    }.get(event) or "; ".join(
        filter(None, [f"the night of {night} finished", describe_counts(facts["tracks"]), describe_model(facts)])
    )
    titles = {
        "failed": "chordal: the night failed",
        "nothing_ran": "chordal: nothing ran at night",
        "model_changed": f"chordal: {result.model} is the new champion",
        "recovered": "chordal: the nights are well again",
    }
    if event in {"failed", "nothing_ran"}:
        facts |= {"reason": printable(reason), "mend": printable(mend) or MEND}
    return _notice(
        home, result.slot, event, titles.get(event, "chordal: the night finished"), text, time=result.ended, **facts
    )


def overdue_reason(night: CurrentNight, schedule: Schedule, *, waited_s: float, idle_s: float, was_up: bool) -> str:
    """Return in words why a night that is due did not run yet, if that is worth a notice; else nothing.

    `waited_s` is how long ago it was first seen to be due, `idle_s` how long nothing has gone on in the home since;
    `was_up` says whether somebody looked before it was due.
    """
    if night.state == "runs":
        return ""
    if night.missed and waited_s == 0 and night.state == "due":
        then = {"run": "it is run now", "skip": "it is skipped"}[schedule.missed]
        when = "as the clock was set ahead or the host slept" if was_up else "while nothing was up"
        return f"its hour passed {when}; {then}"
    waits = night.state == "waits" or night.holder
    if (waits and waited_s >= WAITS_S) or (not waits and idle_s >= STALLED_S):
        words = describe_current(night)
        return words if waits or night.state == "stalled" else "no worker has begun it"
    return ""


def overdue_notice(home: Home, schedule: Schedule, night: CurrentNight, reason: str) -> Notice:
    """Return the notice of a night that did not run when it was due."""
    text = f"nothing ran in the night of {_night(schedule, night.slot)}: {reason}"
    return _notice(home, night.slot, "nothing_ran", "chordal: nothing ran at night", text, reason=reason, mend=MEND)


def disk_notice(home: Home, reason: str) -> Notice:
    """Return the notice of a disk that is nearly full."""
    return new_notice(
        event="disk_low",
        title="chordal: the disk is nearly full",
        text=reason,
        work="home",
        home=printable(str(home.path)),
        reason=reason,
        mend="make room, or runs will stop; `chordal store gc` removes what nobody refers to",
    )


def _notice(home: Home, slot: str, event: Event, title: str, text: str, **facts: Any) -> Notice:
    return new_notice(
        event=event,
        title=title,
        text=printable(text),
        work="night",
        home=printable(str(home.path)),
        slot=slot,
        **facts,
    )


def _night(schedule: Schedule, slot: str) -> str:
    return datetime.fromisoformat(slot).astimezone(zone(schedule.timezone)).strftime("%a %Y-%m-%d %H:%M")
