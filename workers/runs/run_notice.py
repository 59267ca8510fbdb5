"""The notice of a run's end, by what the ledger has of it."""

from contextlib import suppress
from typing import Any, Literal

from pipeline.errors import StoreError, UsageError
from pipeline.learning.study.results import ModelVersion
from pipeline.text import printable
from storage.home import Home
from workers.notices.notice import ModelScore, Notice, describe_score, new_notice
from workers.runs.state import RunState, describe_counts

Work = Literal["run", "extract", "train", "watch"]


def run_facts(home: Home, run_id: str | None) -> dict[str, Any]:
    """Return the fields of a notice that tell of a run; those that are not known, or cannot be read, are left out."""
    if run_id is None or not (home.ledger.path(run_id) / "plan.json").exists():
        return {}
    facts: dict[str, Any] = {"run_id": run_id}
    for read in (_track_facts, _model_facts):
        with suppress(StoreError, UsageError):
            facts |= read(home, run_id)
    if (page := home.ledger.path(run_id) / "report.html").exists():
        facts["report"] = printable(str(page))
    return facts


def _track_facts(home: Home, run_id: str) -> dict[str, Any]:
    state = RunState.read(home, run_id)
    return {"tracks": state.tracks} if state.plan.extract else {}  # else the store would be asked for every file


def _model_facts(home: Home, run_id: str) -> dict[str, Any]:
    report = home.ledger.report(run_id)
    if report is None:
        return {}
    champion, verdict = home.champions.current(), home.champions.verdict(report.model.version)
    facts = {"model": _score(report.model), "champion": champion.version if champion is not None else None}
    if verdict is not None:
        facts |= {"verdict": verdict.state, "verdict_reason": printable(verdict.reason)}
        with suppress(StoreError, UsageError):  # there was none before, or it is gone
            facts["before"] = _score(home.registry.get(verdict.champion or ""))
    return facts


def finished_notice(home: Home, run_id: str, work: Work) -> Notice:
    """Return the notice of a run that finished."""
    facts = run_facts(home, run_id)
    words = [describe_counts(facts.get("tracks", {})), describe_model(facts)]
    return new_notice(
        event="finished",
        title=f"chordal: {work} finished",
        text="; ".join([f"run {run_id} finished", *filter(None, words)]),
        work=work,
        home=printable(str(home.path)),
        **facts,
    )


def failed_notice(
    home: Home, run_id: str | None, work: Work, *, reason: str, mend: str, cancelled: bool = False
) -> Notice:
    """Return the notice of a run, or a watch, that ended without its work being done."""
    end = "cancelled" if cancelled else "failed"
    return new_notice(
        event=end,
        title=f"chordal: {work} {end}",
        text=f"{f'run {run_id}' if run_id else work} {end}: {printable(reason)}",
        work=work,
        home=printable(str(home.path)),
        reason=printable(reason),
        mend=printable(mend),
        **run_facts(home, run_id),
    )


def champion_notice(home: Home, run_id: str, work: Work) -> Notice | None:
    """Return the notice of a run whose model became the champion; None for one whose did not."""
    facts = run_facts(home, run_id)
    if facts.get("verdict") != "promoted":
        return None
    return new_notice(
        event="model_changed",
        title=f"chordal: {facts['model'].version} is the new champion",
        text=f"the champion is {describe_champion(facts)}",
        work=work,
        home=printable(str(home.path)),
        **facts,
    )


def describe_champion(facts: dict[str, Any]) -> str:
    """Return the new champion in the fields of a notice, and the one before it, in words."""
    after = describe_score(facts["model"]) if "model" in facts else facts.get("champion")
    before = f"; before, {describe_score(facts['before'])}" if "before" in facts else ""
    return f"{after}{before} ({printable(facts.get('verdict_reason', ''))})"


def describe_model(facts: dict[str, Any]) -> str:
    """Return the model in the fields of a notice and whether it is the champion, in words."""
    if "model" not in facts:
        return ""
    words = f"model {describe_score(facts['model'])}"
    return f"{words}, {facts['verdict']}: {printable(facts['verdict_reason'])}" if facts.get("verdict") else words


def _score(model: ModelVersion) -> ModelScore:
    interval = model.test_accuracy_interval
    return ModelScore(
        version=model.version,
        accuracy=model.test_accuracy,
        interval=None if interval is None else (interval.low, interval.high),
    )
