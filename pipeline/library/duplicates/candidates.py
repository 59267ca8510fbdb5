"""Pairs of recordings that may be one: those that share words of their fingerprints.

Of two encodings a tenth of the words and more are equal; of two different clips hardly ever one, of two different songs
hardly ever two in a row. So no recording is compared with all others: 100,000 songs are some ten million keys to sort.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.arrays import Int64
from pipeline.library.duplicates.words import LEAST_WORDS, WORD_BITS, Words, lengths_agree

_KEYS_EACH = 128
"""Of a recording the keys with the least hashes: of two copies mostly the same ones."""
_NEIGHBOURS = 32
"""Of recordings that share a key each is paired with so many; more are paired over these."""
_LONG, _SHORT = 100, 125
"""From so many words on a recording is found by two in a row, up to so many by single ones; both between."""
_OFFSETS = 4
_MIXING = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(16)


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
    yield from _by_pair(np.concatenate(pairs), np.concatenate(offsets), len(prints))


def _index(prints: Sequence[Words]) -> tuple[Int64, Int64, Int64]:
    """Return keys, sorted, with the position of their recording and their place in it."""
    found = [_sample(each) for each in prints]
    keys = np.concatenate([words for words, _ in found]) if found else np.zeros(0, np.int64)
    places = np.concatenate([at for _, at in found]) if found else np.zeros(0, np.int64)
    owners = np.repeat(np.arange(len(prints)), [len(words) for words, _ in found])
    # stable, so that of two recordings with one word the lower position is first
    order = np.argsort(keys, kind="stable")
    return keys[order], owners[order], places[order]


def _sample(each: Words) -> tuple[Int64, Int64]:
    """Return some keys of a recording, each once, with their places; none of one with too little sound."""
    clear = each.clear()
    if np.count_nonzero(clear) < LEAST_WORDS:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    words = each.words.astype(np.int64)
    samples = []
    if len(each) <= _SHORT:
        samples.append(_least(words, np.flatnonzero(clear)))
    if len(each) >= _LONG:
        # a word is never 0, so no pair is a word
        samples.append(_least((words[:-1] << WORD_BITS) | words[1:], np.flatnonzero(clear[:-1] & clear[1:])))
    return np.concatenate([keys for keys, _ in samples]), np.concatenate([places for _, places in samples])


def _least(keys: Int64, places: Int64) -> tuple[Int64, Int64]:
    """Return the keys at some places that have the least hashes, each once, with their places."""
    found, first = np.unique(keys[places], return_index=True)
    least = np.argsort((found.astype(np.uint64) * _MIXING) >> _SHIFT, kind="stable")[:_KEYS_EACH]
    return found[least], places[first[least]]


def _by_pair(pairs: Int64, offsets: Int64, count: int) -> Iterator[tuple[int, int, Int64]]:
    order = np.argsort(pairs, kind="stable")
    codes, begins, counts = np.unique(pairs[order], return_index=True, return_counts=True)
    first, second = np.divmod(codes, max(count, 1))
    for at in range(len(codes)):
        own = offsets[order[begins[at] : begins[at] + counts[at]]]
        values, votes = np.unique(own, return_counts=True)
        yield int(first[at]), int(second[at]), values[np.argsort(-votes, kind="stable")[:_OFFSETS]]
