"""Cautions about groups: how many were tested, how large they are, and whether all were told."""

from collections import Counter
from collections.abc import Iterator

from pipeline.learning.cautions.facts import StudyFacts
from pipeline.learning.study.findings import Caution
from pipeline.text import printable

FEW = 10
"""Below so many tested groups, a score says little of others."""

LARGE = 0.5
"""Share of all tracks from which on one group decides what is learned."""


def one_tested(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that the test is one group: no interval, and nothing about others."""
    test = facts.evaluation.test
    if test.n and test.accuracy_interval is None:
        yield Caution(
            kind="one_group",
            what=f"all {test.n:,} tested tracks are of one group: how the model does on others is not known",
            mend='add tracks of other groups, or set split.strategy = "kfold" in the recipe',
        )


def few_tested(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that few groups were tested."""
    interval = facts.evaluation.test.accuracy_interval
    if interval is not None and interval.units < FEW and interval.units < facts.evaluation.test.n:
        yield Caution(
            kind="few_groups",
            what=f"only {interval.units} groups were tested, so the score may be off by much: "
            f"{interval.low:.0%} to {interval.high:.0%}",
            mend="add tracks of other groups",
        )


def large(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that one group has most of the tracks."""
    groups = Counter(track.group for track in facts.manifest.tracks if track.group is not None)
    for name, count in groups.most_common(1):
        share = count / len(facts.manifest.tracks)
        if share >= LARGE and len(groups) > 1:
            yield Caution(
                kind="large_group",
                what=f"group {printable(name)} has {share:.0%} of all tracks: the model learns it, or is tested on it",
                mend="add tracks of other groups, or split that group by another rule of --groups",
            )


def alike_neighbours(facts: StudyFacts) -> Iterator[Caution]:
    """Yield that tracks next to each other are more alike than the groups say."""
    sentinel = facts.evaluation.sentinel
    if sentinel is None or sentinel.hidden is None or sentinel.hidden.interval is None:
        return
    if sentinel.hidden.interval.low > 0:
        yield Caution(
            kind="alike_neighbours",
            what="tracks next to each other in the library are more alike than the groups say: with neighbours kept "
            f"together the accuracy is {100 * sentinel.hidden.gap:.1f} points lower",
            mend="say with --groups what belongs together: an album, a session, a source",
        )
