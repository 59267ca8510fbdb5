"""The status of a home in words: a row for each fact that there is something to say of."""

from collections.abc import Callable
from typing import Any

from pipeline.library.remarks import describe_remarks
from pipeline.text import printable
from workers.cli.inspect.status_facts import Facts

Row = tuple[str, str]

_UNSHOWN = {"tracks", "errors", "live"}
"""What stands in the rows of other facts."""


def status_rows(facts: Facts) -> list[Row]:
    """Return the rows of a status. Of a figure that cannot be had, the row has the reason."""
    errors: dict[str, str] = facts.get("errors", {})
    rows: list[Row] = []
    for name, value in facts.items():
        if name in _UNSHOWN or (value is None and name != "run_id"):
            continue
        rows += _special(name, value, facts) if name in _WORDS or name in _LISTS else [(name, _words(value))]
    if facts.get("live") is not None:
        from workers.cli.inspect.live import live_rows  # with redis and kombu

        rows += live_rows(facts["live"])
    return rows + [
        (name, f"cannot be read: {printable(reason)}")
        for name, reason in errors.items()
        if name != "broker" or not facts.get("broker")
    ]


def _special(name: str, value: Any, facts: Facts) -> list[Row]:
    if name in _LISTS:
        return _LISTS[name](value)
    words = _WORDS[name](value, facts)
    return [(name, words)] if words else []


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{what} {count}" for what, count in value.items())
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.1%}" if isinstance(value, float) else printable(str(value))


def _run(value: str | None, _: Facts) -> str:
    return value or "none yet; start one with `chordal run LIBRARY`"


def _files(files: dict[str, Any], facts: Facts) -> str:
    if facts.get("stage") == "scan":
        return f"{files['of']} found so far"
    share = f" ({files['settled'] / files['of']:.0%})" if files["of"] else ""
    least, whence = ("at least ", " (in sealed shards; no broker says more)") if files["at_least"] else ("", "")
    return f"{least}{files['settled']} of {files['of']}{share}: {_words(facts['tracks'])}{whence}"


def _service(service: dict[str, Any]) -> list[Row]:
    where = f"process {service['process']} on {printable(service['host'])}"
    if service["state"] == "died":
        return [
            ("service", f"died: {where} is gone, which was up since {service['since']}; `chordal up` starts it again")
        ]
    pages = "".join(f"; {name} {service[name]}" for name in ("flower", "metrics") if name in service)
    rows = [("service", f"{service['state']} since {service['since']}, {where}, {service['workers']} workers{pages}")]
    return rows + [("trouble", f"{name}: {printable(why)}") for name, why in service.get("troubles", {}).items()]


def _notices(failed: list[dict[str, Any]]) -> list[Row]:
    return [("notice", f"of {one['event']} to {one['target']} failed: {printable(one['reason'])}") for one in failed]


def _broker(broker: dict[str, Any], _: Facts) -> str:
    return f"{printable(broker['address'])} " + (
        "answers" if broker["answers"] else f"cannot be used: {printable(broker['reason'])}"
    )


def _tags(tags: dict[str, Any], _: Facts) -> str:
    fields = {name: count for name, count in tags["fields"].items() if count}
    return f"{tags['known']} files were asked: {_words(fields)}" if fields else ""


def _remarks(files: int, _: Facts) -> str:
    return describe_remarks(files)


def _other_runs(runs: list[dict[str, Any]], _: Facts) -> str:
    here = [run["run_id"] for run in runs if run["home"]]
    elsewhere = [run["run_id"] for run in runs if not run["home"]]
    words = [f"{', '.join(here)} in this home"] if here else []
    words += [f"{', '.join(elsewhere)} of another home on this broker"] if elsewhere else []
    return "; ".join(words)


def _night(night: dict[str, Any], facts: Facts) -> str:
    from workers.schedule.outlook import NightOutlook, describe_outlook

    service = facts.get("service")
    is_served = service is not None and service["state"] != "died"
    return describe_outlook(NightOutlook.from_wire(night), is_served=is_served)


_WORDS: dict[str, Callable[[Any, Facts], str]] = {
    "run_id": _run,
    "files": _files,
    "broker": _broker,
    "tags": _tags,
    "remarks": _remarks,
    "other_runs": _other_runs,
    "night": _night,
}
"""How the facts are described that are not plain."""

_LISTS: dict[str, Callable[[Any], list[Row]]] = {"service": _service, "notices_failed": _notices}
"""Those that take several rows."""
