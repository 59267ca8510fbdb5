"""The labels of a scan: how many there are, what a vocabulary made of them, and which are odd."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from pipeline.library.tracks import ScannedTrack
from pipeline.library.vocabulary.index import VocabularyIndex
from pipeline.library.vocabulary.near_equal import NearEqual, near_equal, several
from pipeline.plans.vocabulary import Vocabulary
from pipeline.text import printable
from pipeline.wire import Value

SHOWN = 3
"""How many sets of labels a line names; `chordal labels` has them all."""
MOST_GROUPS = 100_000
"""Groups that are counted; where there are more, those that come later are not compared."""
LONGEST = 60
"""Characters of a label that a line shows."""


class FoldCounts(Value, frozen=True, kw_only=True):
    """What a vocabulary made of labels."""

    labels: int
    """How many became others."""
    files: int
    """How many files have one of those."""
    into: int
    """How many names they became."""
    dropped: int = 0
    """How many labels became none."""
    unlabelled: int = 0
    """How many files have no label for that."""


class LabelFindings(Value, frozen=True, kw_only=True):
    """What is to be known of a scan's labels."""

    near_equal: tuple[NearEqual, ...] = ()
    """Sets of labels that differ by little, after folding."""
    several: dict[str, int] = {}
    """Labels that look like several in one value, with their files."""
    folded: FoldCounts | None = None
    """None without a vocabulary."""
    all_labels: dict[str, int] = {}
    """Files by label, where tracks have several; each counts for all its labels."""
    near_equal_groups: tuple[NearEqual, ...] = ()
    """Sets of groups that differ by little, and may be one that a split tears apart."""
    near_equal_folds: tuple[NearEqual, ...] = ()
    """Sets of folds that differ by little."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What is to be told, a line each."""
        is_folded = self.folded is not None
        return (
            *((describe_folding(self.folded),) if self.folded is not None else ()),
            *((_describe_near_equal(self.near_equal, is_folded=is_folded),) if self.near_equal else ()),
            *((_describe_roles("groups", self.near_equal_groups),) if self.near_equal_groups else ()),
            *((_describe_roles("folds", self.near_equal_folds),) if self.near_equal_folds else ()),
            *((_describe_several(self.several, is_folded=is_folded),) if self.several else ()),
        )


class LabelTally:
    """Counts the labels of tracks."""

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        """Count the labels of a scan with a vocabulary, which says what became of which label."""
        self.first: Counter[str] = Counter()
        """Files by the first of their labels, which is learned from."""
        self._all: Counter[str] = Counter()
        self._groups: Counter[str] = Counter()
        self._folds: Counter[str] = Counter()
        self._index = VocabularyIndex(vocabulary) if vocabulary is not None else None
        self._sources: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._dropped: Counter[str] = Counter()
        self._files = 0
        self._unlabelled = 0

    def add(self, track: ScannedTrack) -> None:
        """Count the labels of one track."""
        names = track.labels or ((track.label,) if track.label is not None else ())
        if track.label is not None:
            self.first[track.label] += 1
        if len(names) > 1:
            self._all.update(names[1:])
        for role, value in ((self._groups, track.group), (self._folds, track.fold)):
            if value is not None and (len(role) < MOST_GROUPS or value in role):
                role[value] += 1
        if self._index is not None and track.labels_found:
            self._add_folded(track.labels_found, names, self._index)

    def _add_folded(self, labels: Sequence[str], names: Sequence[str], index: VocabularyIndex) -> None:
        is_changed = False
        for label in labels:
            became = index.fold_one(label)
            if not became:
                self._dropped[label] += 1
            for name in became:
                if name != label and name in names:
                    self._sources[name][label] += 1
                    is_changed = True
        self._files += is_changed
        self._unlabelled += not names

    def sources(self, name: str) -> dict[str, int]:
        """Return the labels that became a name, with their files, the most frequent first."""
        return dict(self._sources[name].most_common()) if name in self._sources else {}

    @property
    def dropped(self) -> dict[str, int]:
        """The labels that became none, with their files, the most frequent first."""
        return dict(self._dropped.most_common())

    @property
    def all(self) -> dict[str, int]:
        """Files by label, each counted for all its labels, the most frequent first."""
        total = self.first + self._all
        return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))

    def findings(self) -> LabelFindings:
        """Return what is to be known of the labels."""
        counts = self.all
        changed = {label for each in self._sources.values() for label in each}
        folded = FoldCounts(
            labels=len(changed),
            files=self._files,
            into=len(self._sources),
            dropped=len(self._dropped),
            unlabelled=self._unlabelled,
        )
        return LabelFindings(
            near_equal=near_equal(counts),
            several=several(counts),
            folded=folded if self._index is not None else None,
            all_labels=counts if self._all else {},
            near_equal_groups=near_equal(self._groups, similar_words=False),
            near_equal_folds=near_equal(self._folds, similar_words=False),
        )


def describe_folding(counts: FoldCounts) -> str:
    """Return what a vocabulary made of labels."""
    words = "the vocabulary changed no label"
    if counts.labels:
        words = f"folded {_labels(counts.labels)} of {_files(counts.files)} into {counts.into:,}"
    if counts.dropped:
        have = "has" if counts.unlabelled == 1 else "have"
        words += f"; dropped {_labels(counts.dropped)}, and {_files(counts.unlabelled)} {have} none for that"
    return words


def describe_pair(near: NearEqual) -> str:
    """Return by what some labels differ: `Rock, ROCK and rock differ by case alone`."""
    names = [short(label) for label in near.labels]
    alone = " alone" if near.differ_by != "one letter" else ""
    return f"{', '.join(names[:-1])} and {names[-1]} differ by {near.differ_by}{alone}"


def short(label: str) -> str:
    """Return a label for a line of text."""
    text = printable(label)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\u2026"


def _describe_near_equal(found: tuple[NearEqual, ...], *, is_folded: bool) -> str:
    more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    sets = "; ".join(map(describe_pair, found[:SHOWN]))
    mend = "`chordal labels --propose FILE` writes a vocabulary that makes them one"
    return f"{sets}{more}; {'if they are one, make them aliases in a vocabulary of your own' if is_folded else mend}"


def _describe_roles(role: str, found: tuple[NearEqual, ...]) -> str:
    more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    sets = "; ".join(map(describe_pair, found[:SHOWN]))
    return f"{role}: {sets}{more}; if they are one, write them alike, as a split may part them"


def _describe_several(found: dict[str, int], *, is_folded: bool) -> str:
    names = ", ".join(repr(short(label)) for label in list(found)[:SHOWN])
    more = f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    verb = "looks" if len(found) == 1 else "look"
    mend = "name what parts them in its separators" if is_folded else "a vocabulary parts them, as --vocabulary default"
    return f"{names}{more} {verb} like several labels in one; {mend}"


def _labels(count: int) -> str:
    return f"{count:,} label{'s' * (count != 1)}"


def _files(count: int) -> str:
    return f"{count:,} file{'s' * (count != 1)}"
