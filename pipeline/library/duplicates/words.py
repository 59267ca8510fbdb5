"""Fingerprints that are compared word by word: whether two recordings are one, at what offset.

The limits were chosen on sounds in seven encodings each, from 64 kbit/s in mono up: two encodings of a recording differ
in 6 % of the bits and hardly ever in 18 %, in a section of five seconds of music in 12 %, of made sounds in 24 %. Two
recordings of music differ in 42 % and more, of noises in 35 % and more.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Bool, Float32, Float64, Int64, UInt32

WORD_BITS = 24
LEAST_WORDS = 24
"""Words that must be of sound in both, 2.8 s: shorter clips are not compared."""

_LIMIT = 0.24
"""The share of the bits that may differ, where half of those of two independent recordings would."""
_LEAST_CHANCE = 0.1
"""Less of the bits would differ by chance between two steady sounds: they tell too little of the recording."""
_SECTION = 40
_SECTION_WORDS = 16
_SECTION_LIMIT = 0.27
"""The same in each section of about five seconds with enough sound: another voice, another ending is another piece."""
_QUIET_DB = 50.0
"""Below the loudest row by this a recording is as good as silent: there encoders keep nothing."""
_LEVEL_LIMIT_DB = 0.4
"""How far the difference of the levels may deviate from its median: another master has other dynamics."""
_SHORTEST = 0.8
"""The share of the longer one that both must have in common: a shorter part is a piece of its own."""
_EDGE_WORDS = 4
_EDGE = 0.05
"""What the shorter one may have beyond the longer one: half a second, or this share of it."""
_AROUND = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The fingerprint of a recording: `words` (n,), equally far apart; `levels` (n,), dB, of each word's row."""

    words: UInt32
    levels: Float32

    def __len__(self) -> int:
        return len(self.words)

    @property
    def clear_words(self) -> int:
        """How many words are of sound."""
        return int(np.count_nonzero(self.clear()))

    def clear(self) -> Bool:
        """Return which words are of sound and not of silence, (n,)."""
        loud: Bool = (self.words > 0) & (self.levels > self.levels.max(initial=-np.inf) - _QUIET_DB)
        return loud


def is_same_music(first: Words, second: Words, offsets: Int64) -> bool:
    """Return whether two recordings are one, of which both have nearly all.

    `offsets` are those to try: at which word of the first the second begins; a few words around them are tried too.
    A constant difference of level counts for nothing.
    """
    around = np.unique(offsets[:, np.newaxis] + np.arange(-_AROUND, _AROUND + 1))
    errors = [(_error(first, second, int(offset)), int(offset)) for offset in around]
    error, offset = min(errors, default=(1.0, 0))
    return error < _LIMIT and _sections_agree(first, second, offset) and _levels_agree(first, second, offset)


def lengths_agree(first: Int64, second: Int64) -> Bool:
    """Return of each pair of lengths, in words, whether one recording may be a copy of the other."""
    shorter, longer = np.minimum(first, second), np.maximum(first, second)
    agree: Bool = shorter + _EDGE_WORDS >= _SHORTEST * longer
    return agree


def _overlap(first: Words, second: Words, offset: int) -> tuple[slice, slice]:
    """Return what two recordings have in common, nothing where it is too little of either."""
    begin, other = max(offset, 0), max(-offset, 0)
    count = min(len(first) - begin, len(second) - other)
    shorter, longer = sorted((len(first), len(second)))
    if count + _EDGE_WORDS < _SHORTEST * longer or count < shorter - max(_EDGE_WORDS, _EDGE * shorter):
        count = 0
    return slice(begin, begin + max(count, 0)), slice(other, other + max(count, 0))


def _differences(first: Words, second: Words, offset: int) -> tuple[Float64, Bool]:
    """Return the share of the bits that differ in each common word, and which words are clear in both."""
    mine, theirs = _overlap(first, second, offset)
    clear: Bool = first.clear()[mine] & second.clear()[theirs]
    return np.bitwise_count(first.words[mine] ^ second.words[theirs]) / WORD_BITS, clear


def _error(first: Words, second: Words, offset: int) -> float:
    """Return the share of the bits that differ, over twice that by chance; 1 where too little is told by both."""
    differences, clear = _differences(first, second, offset)
    chance = _chance(first, second, offset, clear) if np.count_nonzero(clear) >= LEAST_WORDS else 0.0
    return float(differences[clear].mean()) / (2 * chance) if chance >= _LEAST_CHANCE else 1.0


def _chance(first: Words, second: Words, offset: int, clear: Bool) -> float:
    """Return the share of the bits that would differ if the two had nothing to do with each other.

    Of a steady sound, or one with few bands, most bits are alike in any two recordings.
    """
    mine, theirs = _overlap(first, second, offset)
    ones, others = _ones(first.words[mine][clear]), _ones(second.words[theirs][clear])
    return float(np.mean(ones * (1 - others) + others * (1 - ones)))


def _ones(words: UInt32) -> Float64:
    """Return how often each bit is 1, (24,)."""
    bits: Float64 = np.array([np.count_nonzero(words & np.uint32(1 << bit)) for bit in range(WORD_BITS)]) / len(words)
    return bits


def _sections_agree(first: Words, second: Words, offset: int) -> bool:
    differences, clear = _differences(first, second, offset)
    limit = _SECTION_LIMIT * 2 * _chance(first, second, offset, clear)
    for begin in range(0, len(clear), _SECTION):
        own = clear[begin : begin + _SECTION]
        section = differences[begin : begin + _SECTION][own]
        if len(section) >= _SECTION_WORDS and section.mean() > limit:
            return False
    return True


def _levels_agree(first: Words, second: Words, offset: int) -> bool:
    """Return whether the levels differ by a constant."""
    mine, theirs = _overlap(first, second, offset)
    clear = first.clear()[mine] & second.clear()[theirs]
    differences = (first.levels[mine] - second.levels[theirs])[clear]
    return float(np.median(np.abs(differences - np.median(differences)))) < _LEVEL_LIMIT_DB
