"""Which of several copies to keep, and why the others may go."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.library.duplicates.copies import Copy, CopyFacts
from pipeline.text import describe_playing_time, printable

_LENGTH_S = 3.0
_LENGTH = 0.02
"""A copy that is shorter than the longest by more than this and this share of it is cut."""
_BIT_RATE_STEPS = 8
"""Steps of an octave in which bit rates are compared: 128 and 134 kbit/s are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What to do with the copies of one recording; nobody has done anything."""

    keep: Copy
    go: Mapping[str, str]
    """By path, why each of the others is the lesser one."""


@dataclass(frozen=True, slots=True)
class _Criterion:
    merit: Callable[[Copy, CopyFacts], Any]
    """The greater, the better."""
    reason: Callable[[Copy, CopyFacts, Copy, CopyFacts], str]
    """Why the first copy is the lesser one."""


def propose(copies: Sequence[Copy], facts: Mapping[str, CopyFacts]) -> Proposal:
    """Return which of some copies of one recording to keep; `facts` are by path.

    Complete before cut and damaged, lossless before lossy, then more channels, the higher rate, the higher bit rate,
    more tags, the smaller file, the shorter path. Bit rates count only between different sounds.
    """
    criteria = _criteria(max(copy.duration_s for copy in copies))
    ranked = sorted(
        copies, key=lambda copy: [criterion.merit(copy, facts[copy.path]) for criterion in criteria], reverse=True
    )
    keep = ranked[0]
    return Proposal(
        keep=keep,
        go={copy.path: _reason(copy, facts[copy.path], keep, facts[keep.path], criteria) for copy in ranked[1:]},
    )


def _reason(copy: Copy, facts: CopyFacts, keep: Copy, kept: CopyFacts, criteria: Sequence[_Criterion]) -> str:
    for criterion in criteria:
        if criterion.merit(copy, facts) != criterion.merit(keep, kept):
            return criterion.reason(copy, facts, keep, kept)
    return "the same path"


def _criteria(longest_s: float) -> tuple[_Criterion, ...]:
    complete_s = longest_s - max(_LENGTH_S, _LENGTH * longest_s)
    return (
        _Criterion(
            lambda copy, _: copy.duration_s >= complete_s,
            lambda copy, _, keep, __: (
                f"cut: {describe_playing_time(copy.duration_s)} of {describe_playing_time(keep.duration_s)}"
            ),
        ),
        _Criterion(
            lambda copy, _: not copy.note, lambda copy, *_: f"damaged: {printable(copy.note.partition(';')[0])}"
        ),
        _Criterion(lambda _, facts: facts.lossless, lambda *_: "lossy"),
        _Criterion(
            lambda copy, _: copy.channels,
            lambda copy, _, keep, __: f"{copy.channels} of {keep.channels} channels",
        ),
        _Criterion(
            lambda copy, _: copy.sample_rate_hz,
            lambda copy, _, keep, __: f"{copy.sample_rate_hz:,} Hz, not {keep.sample_rate_hz:,}",
        ),
        _Criterion(
            _bit_rate, lambda _, facts, __, kept: f"{facts.bit_rate_kbps:.0f} kbit/s, not {kept.bit_rate_kbps:.0f}"
        ),
        _Criterion(lambda _, facts: facts.tags, lambda _, facts, __, kept: f"{facts.tags} tags, not {kept.tags}"),
        _Criterion(lambda copy, _: -copy.size_bytes, lambda *_: "the larger file"),
        _Criterion(lambda copy, _: -len(os.fsencode(copy.path)), lambda *_: "the longer path"),
        _Criterion(lambda copy, _: [-byte for byte in os.fsencode(copy.path)], lambda *_: "the later name"),
    )


def _bit_rate(_: Copy, facts: CopyFacts) -> int:
    """Return the step of a lossy file's bit rate; that of a lossless one says nothing of its quality."""
    if facts.lossless or facts.bit_rate_kbps <= 0:
        return 0
    return round(_BIT_RATE_STEPS * math.log2(facts.bit_rate_kbps))
