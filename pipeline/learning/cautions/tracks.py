"""Cautions about tracks: those left out, copies on several sides, and rows that were split singly."""

from collections import Counter
from collections.abc import Iterator

from pipeline.learning.cautions.facts import StudyFacts, named
from pipeline.learning.study.findings import Caution
from pipeline.text import printable

_REASONS = 2


def split_by_rows(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that single rows were dealt out at random."""
    if facts.evaluation.scored == "rows":
        yield Caution(
            kind="random_rows",
            what="single rows were dealt out at random, as the recipe asks: the score is no measure of unseen tracks",
            mend='split.strategy = "grouped" in the recipe keeps tracks and groups whole',
        )


def adaptive_search(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that an adaptive search was told the outcomes of all folds, those that a test is of among them."""
    if facts.strategy != "random" and len(facts.split.rounds) > 1:
        yield Caution(
            kind="adaptive_search",
            what=f"the {facts.strategy} search was told the mean over all folds, so the tracks of each test had a "
            "small say in which configurations were tried (some tenths of a point)",
            mend='search.strategy = "random" in the recipe has no such effect',
        )


def torn_duplicates(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that copies of one recording stand on several sides."""
    torn = [each for each in facts.split.duplicates if not each.kept]
    if torn:
        yield Caution(
            kind="torn_duplicates",
            what=f"{sum(len(each.tracks) for each in torn):,} tracks are copies of {len(torn):,} "
            f"{'recording' if len(torn) == 1 else 'recordings'} and stand on several sides: the score is too good",
            mend="`chordal duplicates` names them; --groups keeps them together",
        )


def left_out(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that labelled tracks could not be learned from."""
    reasons = Counter(each.reason for each in facts.manifest.excluded if each.reason != NO_LABEL)
    count = sum(reasons.values())
    if count:
        whys = "; ".join(f"{printable(why)} ({times:,})" for why, times in reasons.most_common(_REASONS))
        more = f"; and {len(reasons) - _REASONS} other reasons" if len(reasons) > _REASONS else ""
        yield Caution(
            kind="left_out",
            what=f"{count:,} of {count + len(facts.manifest.tracks):,} labelled tracks were left out: {whys}{more}",
            mend="the report lists them under Classes; `chordal failures` has the files without features",
        )


def shrunken_classes(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that some classes lost most of their tracks, or all."""
    lost = Counter(each.label for each in facts.manifest.excluded if each.label is not None)
    kept = facts.class_sizes
    gone = sorted(name for name in lost if not kept[name])
    if gone:
        yield Caution(
            kind="lost_classes",
            what=f"no track of {named(gone)} could be learned from: the model does not know "
            f"{'it' if len(gone) == 1 else 'them'}",
            mend="see why these tracks were left out, or leave the class out of the library",
        )
    shrunken = sorted(name for name, count in lost.items() if 0 < kept[name] < count)
    if shrunken:
        counts = [f"{name} {kept[name]:,} of {kept[name] + lost[name]:,}" for name in shrunken]
        yield Caution(
            kind="shrunken_classes",
            what=f"most tracks of some classes were left out; learned from: {named(counts)}",
            mend="see why these tracks were left out",
        )


NO_LABEL = "no label"
"""The reason of tracks that were never meant to be learned from."""
