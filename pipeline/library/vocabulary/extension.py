"""A vocabulary that says what differs from another one."""

from collections.abc import Iterable

from pipeline.library.vocabulary.keys import label_key
from pipeline.plans.vocabulary import Vocabulary

_Words = dict[str, tuple[str, ...]]


def extend(base: Vocabulary, own: Vocabulary) -> Vocabulary:
    """Return a vocabulary with what another one adds; where both speak of a name, what one's own says counts."""
    children = {label_key(child) for children in own.tree.values() for child in children}
    ignored = {label_key(word) for word in own.ignore}
    aliases = {label_key(word) for words in own.aliases.values() for word in words}
    renaming = _Renaming(own, ignored)
    placed = children | {label_key(name) for name in own.names}
    known = renaming.own | aliases | ignored
    return Vocabulary(
        separators=base.separators if own.separators is None else own.separators,
        whole=(*base.whole, *own.whole),
        level=base.level if own.level is None else own.level,
        unknown=own.unknown or base.unknown,
        ignore=(*_without(base.ignore, known), *own.ignore),
        names=(*_without(renaming.of_all(base.names), placed), *own.names),
        aliases=_joined(renaming.of_words(base.aliases, known, names=False), own.aliases),
        tree=_joined(renaming.of_words(base.tree, placed, names=True), own.tree),
    )


class _Renaming:
    """What the names of the base become: one's own spelling of them, or the name that one made them an alias of."""

    def __init__(self, own: Vocabulary, ignored: set[str]) -> None:
        children = (child for children in own.tree.values() for child in children)
        names = {label_key(name): name for name in (*own.names, *own.aliases, *own.tree, *children)}
        words = {label_key(word): name for name, words in own.aliases.items() for word in words}
        self.own = set(names)
        self._names = words | names
        self._ignored = ignored

    def of_all(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return names as they are from now on, each once, without those that are ignored."""
        kept = ((label_key(name), name) for name in names)
        return tuple(dict.fromkeys(self._names.get(key, name) for key, name in kept if key not in self._ignored))

    def of_words(self, base: _Words, taken: set[str], *, names: bool) -> _Words:
        """Return the words of each name without those that are taken; the words are `names` in a tree."""
        found: _Words = {}
        for name, words in base.items():
            for renamed in self.of_all([name]):
                kept = self.of_all(words) if names else words
                own = _without(kept, taken | {label_key(renamed)} if names else taken)
                found[renamed] = (*found.get(renamed, ()), *own)
        return found


def _joined(base: _Words, own: _Words) -> _Words:
    names = dict.fromkeys([*base, *own])
    joined = {name: tuple(dict.fromkeys((*base.get(name, ()), *own.get(name, ())))) for name in names}
    return {name: words for name, words in joined.items() if words or name in own}


def _without(words: Iterable[str], taken: set[str]) -> tuple[str, ...]:
    return tuple(word for word in words if label_key(word) not in taken)
