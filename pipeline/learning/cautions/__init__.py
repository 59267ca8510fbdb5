"""Cautions: what a reader of a score should know first, found by checks over a finished study.

A check is a function from the facts of a study to cautions, in the module of its subject. To add one, write it there
and list it in `CHECKS`: the report's first screen, the terminal's summary and `--json` show whatever it yields.
"""

from collections.abc import Callable, Iterable

from pipeline.learning.cautions import answers, classes, groups, tracks
from pipeline.learning.cautions.facts import StudyFacts
from pipeline.learning.study.findings import Caution

Check = Callable[[StudyFacts], Iterable[Caution]]

CHECKS: tuple[Check, ...] = (
    tracks.split_by_rows,
    groups.one_tested,
    groups.few_tested,
    classes.no_better_than_one_answer,
    classes.untested,
    tracks.torn_duplicates,
    tracks.adaptive_search,
    tracks.shrunken_classes,
    tracks.left_out,
    groups.large,
    answers.target_missed,
    answers.calibration_worse,
    classes.unvalidated,
    classes.imbalanced,
    classes.small,
    groups.alike_neighbours,
)
"""In the order in which cautions are shown: what changes the meaning of the score first."""


def find_cautions(facts: StudyFacts) -> tuple[Caution, ...]:
    """Return the cautions of a study, the weightiest first."""
    return tuple(caution for check in CHECKS for caution in check(facts))
