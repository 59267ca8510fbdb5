"""Cautions about answers: the rate that was asked for, and what calibration did."""

from collections.abc import Iterator

from pipeline.learning.cautions.facts import StudyFacts
from pipeline.learning.study.findings import Caution


def target_missed(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that the answers of the test reach less than was asked."""
    found = facts.evaluation.calibration
    if found is None or found.accuracy is None or found.accuracy >= found.target_accuracy:
        return
    if found.answered == found.n and found.least_coverage == 1:
        return  # whoever asks for every answer asks for no rate
    yield Caution(
        kind="target_missed",
        what=f"{found.target_accuracy:.0%} of the answers were to be right, {found.accuracy:.1%} of the "
        f"{found.answered:,} on the test are: the tested groups are harder than those that set the threshold",
        mend="take answers for suggestions, or raise answer.accuracy in the recipe",
    )


def calibration_worse(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that calibration made the probabilities of the test worse."""
    found = facts.evaluation.calibration
    if found is not None and found.after.log_loss > found.before.log_loss:
        yield Caution(
            kind="calibration_worse",
            what=f"calibration made the probabilities of the test worse: log-loss {found.before.log_loss:.3f} without "
            f"it, {found.after.log_loss:.3f} with",
            mend="`answer.calibrate = false` in the recipe leaves them as they are",
        )
