"""Cautions about classes: their sizes, and which of them the validation or the test lacks."""

from collections.abc import Iterator

from pipeline.learning.cautions.facts import StudyFacts, named
from pipeline.learning.study.findings import Caution

IMBALANCE = 10
"""How many times as many tracks as the smallest class the largest one may have."""

SMALL = 5
"""With fewer tracks than this a class is hardly learned, and its score is chance."""


def no_better_than_one_answer(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that the model is no better than always naming the largest class."""
    test = facts.evaluation.test
    baseline = test.majority_share
    if test.n and test.accuracy <= baseline:
        yield Caution(
            kind="no_better_than_baseline",
            what=f"the accuracy of {test.accuracy:.1%} is not above that of always naming the largest class, "
            f"{baseline:.1%}",
            mend='look at the scores per class; search.objective = "macro_f1" counts all classes the same',
        )


def untested(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that some classes were never tested."""
    tested = facts.labels_of(at for part in facts.split.partitions for at in part.test)
    if facts.split.strategy != "rows" and (without := [c for c in facts.manifest.classes if c not in tested]):
        yield Caution(
            kind="untested_classes",
            what=f"nothing is known of {named(without)}: no track of {_them(without)} was tested",
            mend="add tracks of other groups or folds",
        )


def unvalidated(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that some classes had no say in the choice of the model."""
    if facts.split.strategy == "rows":
        return
    without = {
        name
        for part in facts.split.partitions
        for name in set(facts.manifest.classes) - facts.labels_of(part.validation)
    }
    if without:
        yield Caution(
            kind="unvalidated_classes",
            what=f"{named(sorted(without))} had no validation tracks in some partition: they had no say in the choice",
            mend="add tracks of other groups, or raise split.validation in the recipe",
        )


def imbalanced(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that the largest class has many times the tracks of the smallest."""
    (large, most), *_, (small, least) = facts.class_sizes.most_common()
    if most >= IMBALANCE * least:
        yield Caution(
            kind="imbalance",
            what=f"{named([large])} has {most:,} tracks and {named([small])} {least:,}: the accuracy is mostly of the "
            "large classes, the macro F1 counts all the same",
            mend="add tracks of the small classes",
        )


def small(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that some classes have hardly any tracks."""
    if few := sorted(name for name, count in facts.class_sizes.items() if count < SMALL):
        yield Caution(
            kind="small_classes",
            what=f"{named(few)} {'has' if len(few) == 1 else 'have'} fewer than {SMALL} tracks each: what is said of "
            f"{_them(few)} is little more than chance",
            mend="add tracks, or leave these classes out",
        )


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"
