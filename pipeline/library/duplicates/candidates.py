"""Pairs of recordings that may be one: those that share words of their fingerprints.

Of two encodings a tenth of the words and more are equal; of two different recordings hardly ever one. So no recording
is compared with all others: 100,000 songs are some ten million words to sort.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.arrays import Int64
from pipeline.library.duplicates.words import LEAST_WORDS, Words, lengths_agree

_WORDS_EACH = 128
"""Of a recording the words with the least hashes: of two copies mostly the same ones."""
_NEIGHBOURS = 32
"""Of recordings that share a word each is paired with so many; more are paired over these."""
_LONG = 100
"""Words of a recording that must share two with another; a shorter one may have but one in common."""
_OFFSETS = 4
_MIXING = np.uint64(0x9E3779B1)
_LAST_32_BITS = np.uint64(0xFFFFFFFF)


def candidates(prints: Sequence[Words]) -> Iterator[tuple[int, int, Int64]]:
    """Yield positions of two recordings, the lower one first, and the offsets at which they share most words."""
    keys, owners, places = _index(prints)
    lengths = np.array([len(each) for each in prints], np.int64)
    pairs, offsets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for distance in range(1, _NEIGHBOURS + 1):
        at = np.flatnonzero(keys[distance:] == keys[:-distance])
        if not len(at):
            break
        at = at[lengths_agree(lengths[owners[at]], lengths[owners[at + distance]])]
        pairs.append(owners[at] * len(prints) + owners[at + distance])
        offsets.append(places[at] - places[at + distance])
    yield from _by_pair(np.concatenate(pairs), np.concatenate(offsets), lengths)


def _index(prints: Sequence[Words]) -> tuple[Int64, Int64, Int64]:
    """Return words, sorted, with the position of their recording and their place in it."""
    found = [_sample(each) for each in prints]
    keys = np.concatenate([words for words, _ in found]) if found else np.zeros(0, np.int64)
    places = np.concatenate([at for _, at in found]) if found else np.zeros(0, np.int64)
    owners = np.repeat(np.arange(len(prints)), [len(words) for words, _ in found])
    # stable, so that of two recordings with one word the lower position is first
    order = np.argsort(keys, kind="stable")
    return keys[order], owners[order], places[order]


def _sample(each: Words) -> tuple[Int64, Int64]:
    """Return some words of a recording, each once, with their places; none of one with too little sound."""
    clear = np.flatnonzero(each.clear())
    if len(clear) < LEAST_WORDS:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    words, first = np.unique(each.words[clear], return_index=True)
    hashes = (words.astype(np.uint64) * _MIXING) & _LAST_32_BITS
    least = np.argsort(hashes, kind="stable")[:_WORDS_EACH]
    return words[least].astype(np.int64), clear[first[least]]


def _by_pair(pairs: Int64, offsets: Int64, lengths: Int64) -> Iterator[tuple[int, int, Int64]]:
    order = np.argsort(pairs, kind="stable")
    codes, begins, counts = np.unique(pairs[order], return_index=True, return_counts=True)
    first, second = np.divmod(codes, max(len(lengths), 1))
    needed = np.where(np.minimum(lengths[first], lengths[second]) < _LONG, 1, 2)
    for at in np.flatnonzero(counts >= needed).tolist():
        own = offsets[order[begins[at] : begins[at] + counts[at]]]
        values, votes = np.unique(own, return_counts=True)
        yield int(first[at]), int(second[at]), values[np.argsort(-votes, kind="stable")[:_OFFSETS]]
