"""What a task returns: JSON for the broker, words for Flower and the logs."""

from typing import Any

from pipeline.learning.evaluation.gate import Verdict
from pipeline.learning.study.results import EvaluationReport
from pipeline.learning.study.trials import TrialOutcome
from pipeline.library.tracks import Receipt
from pipeline.plans.run import ShardSummary
from pipeline.text import describe_playing_time, printable


class TaskResult:
    """A result whose representation is a sentence.

    Celery shows the `repr` of what a task returns, and its JSON serializer asks for `__json__`.
    """

    def __init__(self, words: str, wire: dict[str, Any]) -> None:
        self._words = words
        self._wire = wire

    def __repr__(self) -> str:
        return self._words

    def __json__(self) -> dict[str, Any]:
        """Return what is sent."""
        return self._wire


def receipt_result(receipt: Receipt) -> TaskResult:
    """Return what became of a file: `extracted, 3:30 of audio` or `failed (too_short): 0.1 s of audio`."""
    words: str = receipt.outcome
    if receipt.kind is not None:
        words = f"failed ({receipt.kind}): {printable(receipt.reason)}"
    elif receipt.retagged:
        words = "unchanged: other tags around the same sound, nothing decoded"
    elif receipt.audio_s:
        words = f"{receipt.outcome}, {describe_playing_time(receipt.audio_s)} of audio"
    return TaskResult(words, receipt.to_wire())


def shard_result(summary: ShardSummary) -> TaskResult:
    """Return what became of a shard: `24 extracted, 1 failed, 2:15 of audio`."""
    counts = [(name, getattr(summary, name)) for name in ("extracted", "unchanged", "failed")]
    words = [f"{count} {name}" for name, count in counts if count] or ["no file"]
    words += [f"{summary.retagged} of them retagged"] if summary.retagged else []
    words.append(f"{describe_playing_time(summary.audio_s)} of audio")
    return TaskResult(", ".join(words), {"sealed": True, **summary.to_wire()})


def trial_result(outcome: TrialOutcome) -> TaskResult:
    """Return how a trial ended: `svm: validation accuracy 91.2%`."""
    family = outcome.spec.family
    words = f"{family}: validation accuracy {outcome.objective:.1%}"
    if outcome.state != "completed":
        words = f"{family} {outcome.state}: {outcome.reason}"
    wire = {
        "trial": outcome.spec.index,
        "model": family,
        "state": outcome.state,
        "validation_accuracy": round(outcome.objective, 4),
        "reason": outcome.reason,
    }
    return TaskResult(words, wire)


def run_result(report: EvaluationReport, verdict: Verdict | None = None) -> TaskResult:
    """Return what a run learned: `model v0003 (svm), test accuracy 90.8% (87.1% to 93.4%) on 400 tracks`."""
    model, test = report.model, report.test
    interval = test.accuracy_interval
    between = f" ({interval.low:.1%} to {interval.high:.1%})" if interval else " (one group: no interval)"
    accuracy = f"test accuracy {test.accuracy:.1%}{between} on {test.n} {report.scored}"
    words = f"model {model.version} ({model.family}), {accuracy}"
    wire = {"run": report.run_id, "model": model.version, "test_accuracy": round(test.accuracy, 4)}
    if verdict is not None:
        words += f"; {verdict.state}: {verdict.reason}"
        wire |= {"verdict": verdict.state, "reason": verdict.reason}
    return TaskResult(words, wire)
