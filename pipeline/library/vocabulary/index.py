"""A vocabulary made ready to fold labels."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from pipeline.library.vocabulary.keys import label_key, spelling
from pipeline.plans.vocabulary import Vocabulary
from pipeline.text import printable

_BROAD = {narrow: narrow + 0xFEE0 for narrow in range(0x21, 0x7F)}

_Form = tuple[str, ...]
"""The keys of a value's parts with the separators between them."""


class VocabularyIndex:
    """Folds labels to the names of a vocabulary; the same label always to the same names."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Index a vocabulary that is complete, as `load_vocabulary` returns it."""
        self._unknown = vocabulary.unknown or "fold"
        self._separator = _pattern(vocabulary.separators or ())
        self._ignored = {label_key(word) for word in vocabulary.ignore}
        self._names = _names(vocabulary)
        words = (word for words in vocabulary.aliases.values() for word in words)
        known = (*vocabulary.whole, *vocabulary.ignore, *self._names.values(), *words)
        forms = {self._form(self._parts(word)) for word in known}
        self._whole = {form for form in forms if len(form) > 1}
        self._longest = max(map(len, self._whole), default=1)
        for word in vocabulary.whole:
            self._names.setdefault(label_key(word), word)
        for name, words_of_it in vocabulary.aliases.items():
            self._names |= {label_key(word): name for word in words_of_it}
        self._cut = _cut(vocabulary)
        self._fold_one = lru_cache(maxsize=65_536)(self._fold_value)

    def fold(self, values: Iterable[str]) -> tuple[str, ...]:
        """Return the names of some labels, each once, in their order; none for what is ignored."""
        return tuple(dict.fromkeys(name for value in values for name in self._fold_one(value)))

    def fold_one(self, label: str) -> tuple[str, ...]:
        """Return the names in one label, which may be several or none."""
        return self._fold_one(label)

    def fold_track(self, values: Sequence[str], *, multi: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of a track, all or the first one alone, and the labels that they were, if others.

        What is ignored or dropped is among the labels, so that it can be counted.
        """
        used = tuple(values)
        names = self.fold(used)
        if not multi and names:
            names = names[:1]
            used = next((value,) for value in used if names[0] in self._fold_one(value))
        return names, used if used != names else ()

    def parts(self, value: str) -> list[str]:
        """Return the labels in a value as they are written, cut at its separators but for those within a name."""
        return self._split(value)

    def name(self, label: str) -> str | None:
        """Return the name of a label that is one or an alias of one, before the tree is cut; None for any other."""
        return self._names.get(label_key(label))

    def _fold_value(self, value: str) -> tuple[str, ...]:
        names = (self._name(label) for label in self._split(value))
        return tuple(dict.fromkeys(name for name in names if name is not None))

    def _name(self, label: str) -> str | None:
        """Return the name of a single label; None for one that is dropped."""
        key = label_key(label)
        if key in self._ignored:
            return None
        if (name := self._names.get(key)) is not None:
            return self._cut.get(name, name)
        if self._unknown == "drop":
            return None
        return spelling(label) if self._unknown == "fold" else label

    def _split(self, value: str) -> list[str]:
        """Return the labels in a value, at its separators but for those within a name."""
        parts = self._parts(value)
        labels: list[str] = []
        at = 0
        while at < len(parts):
            end = self._end_of_name(parts, at)
            labels.append("".join(parts[at:end]).strip())
            at = end + 1  # past the separator
        return [label for label in labels if label]

    def _parts(self, value: str) -> list[str]:
        """Return the texts of a value with the separators between them, which are every second one."""
        return self._separator.split(value) if self._separator is not None else [value]

    def _end_of_name(self, parts: Sequence[str], at: int) -> int:
        """Return where the longest name ends that begins at a part; one part further where none does."""
        for length in range(min(self._longest, len(parts) - at), 1, -1):
            if length % 2 and self._form(parts[at : at + length]) in self._whole:
                return at + length
        return at + 1

    @staticmethod
    def _form(parts: Sequence[str]) -> _Form:
        return tuple(part.strip() if at % 2 else label_key(part) for at, part in enumerate(parts))


def _pattern(separators: Sequence[str]) -> re.Pattern[str] | None:
    """Return what finds a separator, also as control characters and the broad signs of East Asia stand in a label."""
    forms = (form for each in separators for form in (each, printable(each), each.translate(_BROAD)))
    signs = sorted(set(forms), key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, signs))})") if signs else None


def _names(vocabulary: Vocabulary) -> dict[str, str]:
    """Return the names by their keys."""
    children = (child for children in vocabulary.tree.values() for child in children)
    return {label_key(name): name for name in (*vocabulary.names, *vocabulary.aliases, *vocabulary.tree, *children)}


def _cut(vocabulary: Vocabulary) -> dict[str, str]:
    """Return the name above at the vocabulary's level, for names that are further down."""
    if not vocabulary.level:
        return {}
    parent = {child: name for name, children in vocabulary.tree.items() for child in children}
    cut: dict[str, str] = {}
    for name in parent:
        path = [name]
        while (above := parent.get(path[-1])) is not None:
            path.append(above)
        if len(path) > vocabulary.level:
            cut[name] = path[-vocabulary.level]
    return cut
