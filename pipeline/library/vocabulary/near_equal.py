"""Labels that are nearly the same, and labels that look like several: what a library's owner may not have meant."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice

from pipeline.library.vocabulary.index import VocabularyIndex
from pipeline.library.vocabulary.keys import label_key, plain_text, without_accents, words_of
from pipeline.library.vocabulary.load import DEFAULT, load_vocabulary
from pipeline.plans.vocabulary import SEPARATORS
from pipeline.text import printable
from pipeline.wire import Value

LEAST_PLURAL = 4
"""Letters that a word needs before its plural is looked for."""
LEAST_TYPO = 6
"""Letters that the longer of two words needs before one letter may be a mistake: there are Rock, Sock and Lock."""
MOST_SIMILAR = 1000
"""Pairs of similar words that are looked for: more is no list of genres."""
MOST_COMPARED = 20_000
"""Labels whose words are compared: where there are more, they are names of files rather than of classes."""
LONGEST_WORD = 40
"""Letters; what is longer is no word, and its neighbours are not looked for."""


class NearEqual(Value, frozen=True, kw_only=True):
    """Labels that differ by little."""

    labels: dict[str, int]
    """Files by label, the most frequent first."""
    differ_by: str
    """In words: `case`, `blanks or hyphens`, `accents`, `one letter`, ..."""


def near_equal(labels: Mapping[str, int], *, similar_words: bool = True) -> tuple[NearEqual, ...]:
    """Return the sets of labels that differ by little, those with most files first; `labels` has the files of each.

    Without `similar_words` plurals and single letters are not looked for: names of artists may differ so.
    """
    groups = _grouped(labels, label_key)
    found = [_near(group, labels, _difference(group)) for group in groups.values() if len(group) > 1]
    single = {_first(group, labels): labels[_first(group, labels)] for group in groups.values()}
    paired: set[frozenset[str]] = set()
    keys = (("accents", _accents_key), ("'&' and 'and'", _and_key), ("letters that look alike", _shape_key))
    for reason, key in keys:
        for group in _grouped(single, key).values():
            if len(group) > 1 and frozenset(group) not in paired:
                paired.add(frozenset(group))
                found.append(_near(group, labels, reason))
    is_compared = similar_words and len(single) <= MOST_COMPARED
    similar = islice(_similar_words(single), MOST_SIMILAR) if is_compared else ()
    for one, other, reason in similar:
        if not any({one, other} <= known for known in paired) and not _are_known_apart(one, other):
            found.append(_near([one, other], labels, reason))
    return tuple(sorted(found, key=lambda near: (-sum(near.labels.values()), min(near.labels))))


def several(labels: Mapping[str, int]) -> dict[str, int]:
    """Return the labels that look like several in one value, with their files, the most frequent first."""
    found = {label: files for label, files in labels.items() if _looks_like_several(label)}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _looks_like_several(label: str) -> bool:
    if not any(sign in label for separator in SEPARATORS for sign in (separator, printable(separator))):
        return False
    parts = _default_index().parts(label)
    return len(parts) > 1 and all(any(map(str.isalpha, part)) for part in parts)


@lru_cache(maxsize=1)
def _default_index() -> VocabularyIndex:
    return VocabularyIndex(load_vocabulary(DEFAULT))


def _are_known_apart(one: str, other: str) -> bool:
    """Return whether the default vocabulary knows two labels as two names."""
    names = {_default_index().name(one), _default_index().name(other)}
    return None not in names and len(names) > 1


def _grouped(labels: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[key(label)].append(label)
    return groups


def _first(group: Sequence[str], labels: Mapping[str, int]) -> str:
    return min(group, key=lambda label: (-labels[label], label))


def _near(group: Sequence[str], labels: Mapping[str, int], reason: str) -> NearEqual:
    ordered = sorted(group, key=lambda label: (-labels[label], label))
    return NearEqual(labels={label: labels[label] for label in ordered}, differ_by=reason)


LOOK_ALIKE = str.maketrans(
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03bd",
    "ABEKMHOPCTYXaeopcyxiABEZHIKMNOPTYXov",
)
"""Letters of Cyrillic and of Greek that look like Latin ones, as they get into a word by the wrong keyboard."""

_GAPS = re.compile(r"[\s_\-\u2010-\u2015]+")


def _difference(group: Sequence[str]) -> str:
    """Return by what the spellings of one name differ."""
    plain = {plain_text(label) for label in group}
    composed = {unicodedata.normalize("NFKC", label) for label in group}
    signs = "blanks or hyphens" if len({_GAPS.sub("", text) for text in plain}) == 1 else "punctuation"
    # With their punctuation taken out, what is left of spellings of one name differs by case.
    letters = {"".join(c for c in text if c.isalnum()) for text in composed}
    reasons = [*(["case"] if len(letters) > 1 else []), *([signs] if len(plain) > 1 else [])]
    return " and ".join(reasons) or "the form of their characters"


def _accents_key(label: str) -> str:
    return without_accents(label_key(label))


def _and_key(label: str) -> str:
    return without_accents("".join("and" if word in {"&", "+", "n", "und"} else word for word in words_of(label)))


def _shape_key(label: str) -> str:
    return label_key(label.translate(LOOK_ALIKE))


def _similar_words(labels: Mapping[str, int]) -> Iterable[tuple[str, str, str]]:
    """Yield pairs of labels that differ by one letter of one word, or by its plural.

    By what is left of a word without one of its letters, which similar words share: no pair is looked at in vain.
    """
    words = {label: tuple(words_of(label)) for label in labels}
    shared: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for label, each in words.items():
        for at, word in enumerate(each):
            if LEAST_PLURAL <= len(word) <= LONGEST_WORD and word.isalpha():
                rests = {word, *(word[:i] + word[i + 1 :] for i in range(len(word))), word.removesuffix("es")}
                for rest in rests:
                    shared[(*each[:at], f"{at} {rest}", *each[at + 1 :])].append(label)
    seen: set[tuple[str, str]] = set()
    for group in shared.values():
        for i, one in enumerate(group):
            for other in group[i + 1 :]:
                pair = (min(one, other), max(one, other))
                if pair not in seen and one != other:
                    seen.add(pair)
                    if reason := _word_difference(words[one], words[other]):
                        yield (*pair, reason)


def _word_difference(one: Sequence[str], other: Sequence[str]) -> str | None:
    """Return how the one word differs that two labels do not share; None for words that may well be two."""
    pairs = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    if len(pairs) != 1:
        return None
    short, long = sorted(pairs[0], key=len)
    if long in {f"{short}s", f"{short}es"}:
        return "plural"
    if len(long) < LEAST_TYPO or short[0] != long[0] or not _is_one_edit(short, long):
        return None
    return "one letter"


def _is_one_edit(short: str, long: str) -> bool:
    """Return whether one letter more, another one, or two that changed places make one word of another."""
    if len(short) < len(long):
        return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))
    differing = [i for i in range(len(short)) if short[i] != long[i]]
    first, last = differing[0], differing[-1]
    return first == last or (last == first + 1 and short[first] == long[last] and short[last] == long[first])
