"""Copies in sets: whatever goes is like what is kept, directly and not over a third."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.library.duplicates.candidates import candidates
from pipeline.library.duplicates.copies import RELATIONS, Copy, CopyFacts, Relation
from pipeline.library.duplicates.proposal import Proposal, propose
from pipeline.library.duplicates.words import Words, is_same_music

Probe = Callable[[Copy], CopyFacts | None]
"""Return what decides between copies, of one of them; None for a file that is not to be proposed for anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySet:
    """Files of one recording."""

    kind: Relation
    """What all of them have in common."""
    copies: tuple[Copy, ...]
    """The one to keep first, the others by path."""
    facts: Mapping[str, CopyFacts]
    """By path."""
    proposal: Proposal

    def relation(self, copy: Copy) -> Relation:
        """Return what a copy has in common with the one to keep."""
        return relation_of(copy, self.proposal.keep)

    @property
    def go(self) -> tuple[Copy, ...]:
        """Those that may go: a track within an album's file stays with its album."""
        return tuple(copy for copy in self.copies[1:] if not self.facts[copy.path].in_album_file)


def relation_of(first: Copy, second: Copy) -> Relation:
    """Return what two copies of one recording have in common."""
    if first.file_key == second.file_key:
        return "file"
    return "sound" if first.sound_key == second.sound_key else "music"


def copy_sets(
    copies: Iterable[Copy], prints: Mapping[str, Words], probe: Probe, *, kind: Relation = "music"
) -> list[CopySet]:
    """Return the sets of copies, the first path first; with another kind only those that have at least that in common.

    `prints` are fingerprints by content hash; a content without one is compared by its bytes and its sound only.
    """
    by_sound = _grouped(copies, lambda copy: copy.file_key if kind == "file" else copy.sound_key)
    groups = list(by_sound.values())
    matches = _Matches(groups, prints) if kind == "music" else None
    linked = matches.components() if matches is not None else [[number] for number in range(len(groups))]
    found: list[CopySet] = []
    for numbers in linked:
        facts = {
            copy.path: known for n in numbers for copy in groups[n] if (known := _probed(probe, groups, numbers, copy))
        }
        left = [n for n in numbers if any(copy.path in facts for copy in groups[n])]
        while left:
            present = [copy for n in left for copy in groups[n] if copy.path in facts]
            keep = propose(present, facts).keep
            own = next(n for n in left if keep in groups[n])
            like = [n for n in left if n == own or (matches is not None and matches.are_same(own, n))]
            found += _set_of([copy for n in like for copy in groups[n] if copy.path in facts], facts)
            left = [n for n in left if n not in like]
    return sorted(found, key=lambda each: min(os.fsencode(copy.path) for copy in each.copies))


def _probed(probe: Probe, groups: Sequence[Sequence[Copy]], numbers: Sequence[int], copy: Copy) -> CopyFacts | None:
    """Return the facts of a copy that is not alone."""
    return probe(copy) if sum(len(groups[n]) for n in numbers) > 1 else None


def _set_of(copies: Sequence[Copy], facts: Mapping[str, CopyFacts]) -> list[CopySet]:
    if len(copies) < 2:
        return []
    proposal = propose(copies, facts)
    others = sorted((copy for copy in copies if copy is not proposal.keep), key=lambda copy: os.fsencode(copy.path))
    kind = max((relation_of(copy, proposal.keep) for copy in others), key=RELATIONS.index)
    return [
        CopySet(
            kind=kind,
            copies=(proposal.keep, *others),
            facts={copy.path: facts[copy.path] for copy in copies},
            proposal=proposal,
        )
    ]


def _grouped(copies: Iterable[Copy], key: Callable[[Copy], str]) -> dict[str, list[Copy]]:
    """Return the copies by a key, in the order of their paths."""
    groups: dict[str, list[Copy]] = {}
    for copy in sorted(copies, key=lambda copy: os.fsencode(copy.path)):
        groups.setdefault(key(copy), []).append(copy)
    return groups


class _Matches:
    """Which sounds, by their numbers, are the same music."""

    def __init__(self, groups: Sequence[Sequence[Copy]], prints: Mapping[str, Words]) -> None:
        contents = [next((copy.content_hash for copy in group if copy.content_hash in prints), "") for group in groups]
        self._count = len(groups)
        self._prints = {number: prints[content] for number, content in enumerate(contents) if content}
        self._known: dict[tuple[int, int], bool] = {}
        numbers = list(self._prints)
        for first, second, offsets in candidates(list(self._prints.values())):
            pair = (numbers[first], numbers[second])
            self._known[pair] = is_same_music(self._prints[pair[0]], self._prints[pair[1]], offsets)

    def components(self) -> list[list[int]]:
        """Return the numbers that pairs link, each in one list, alone or with others."""
        parent = list(range(self._count))

        def root(number: int) -> int:
            while parent[number] != number:
                parent[number] = parent[parent[number]]
                number = parent[number]
            return number

        for (first, second), same in self._known.items():
            if same:
                parent[max(root(first), root(second))] = min(root(first), root(second))
        members: dict[int, list[int]] = {}
        for number in range(self._count):
            members.setdefault(root(number), []).append(number)
        return list(members.values())

    def are_same(self, first: int, second: int) -> bool:
        """Return whether two sounds are the same music; compares from their beginnings those that share no word."""
        pair = (min(first, second), max(first, second))
        if not self._known.get(pair) and all(number in self._prints for number in pair):
            # one that was found over a third shares no word with this, or was compared at another offset
            self._known[pair] = self._known.get(pair, False) or is_same_music(
                self._prints[pair[0]], self._prints[pair[1]], np.zeros(1, np.int64)
            )
        return self._known.get(pair, False)
