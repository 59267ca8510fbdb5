"""Vocabularies from files and by name, checked and complete."""

from functools import lru_cache
from importlib import resources
from pathlib import Path

import msgspec

from pipeline.errors import UsageError
from pipeline.library.vocabulary.extension import extend
from pipeline.library.vocabulary.keys import label_key
from pipeline.plans.scan_rules import ScanRules
from pipeline.plans.vocabulary import SEPARATORS, Vocabulary
from pipeline.text import printable

DEFAULT = "default"
"""The name of the vocabulary that comes with chordal."""

NONE = "none"
"""Names no vocabulary, where one is set already."""


def load_vocabulary(name_or_file: str) -> Vocabulary:
    """Return the vocabulary of a TOML file, or the `default` one, with what it extends.

    Raises `UsageError` naming the file, the key and the mend when it is missing, mistyped or contradicts itself.
    """
    if name_or_file == DEFAULT:
        return _default()
    label = printable(name_or_file) or "''"
    path = Path(name_or_file)
    if not path.is_file():
        raise UsageError(
            f"vocabulary {label}: no such file; give a TOML file, {DEFAULT!r}, or {NONE!r} to fold nothing; "
            "`chordal labels LIBRARY --propose FILE` writes one"
        )
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"vocabulary {label}: cannot be read ({error}); give a TOML file in UTF-8") from error
    return parse_vocabulary(text, label)


def parse_vocabulary(text: str, source: str) -> Vocabulary:
    """Return the vocabulary that a TOML text describes; `source` names it in errors. Raises `UsageError`."""
    try:
        vocabulary = msgspec.toml.decode(text, type=Vocabulary)
    except msgspec.ValidationError as error:
        raise UsageError(f"vocabulary {source}: {error}; ops/docs/labels.md lists the keys") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"vocabulary {source}: not valid TOML ({error})") from error
    return complete(vocabulary, f"vocabulary {source}")


def complete(vocabulary: Vocabulary, subject: str) -> Vocabulary:
    """Return a vocabulary with what it extends, and nothing left open. Raises `UsageError` where it cannot work."""
    _check(vocabulary, subject)
    if vocabulary.extends:
        vocabulary = extend(_default(), vocabulary)
        _check(vocabulary, subject)
    return vocabulary.replace(
        separators=SEPARATORS if vocabulary.separators is None else vocabulary.separators,
        level=vocabulary.level or 0,
        unknown=vocabulary.unknown or "fold",
    )


def with_vocabulary(rules: ScanRules, of_recipe: Vocabulary | None = None, recipe: str = "") -> ScanRules:
    """Return the rules of a scan with the vocabulary that they name, or else that of the recipe, as it is now.

    Raises `UsageError` for one that is missing or has a mistake.
    """
    if rules.vocabulary == NONE:
        return rules.replace(vocabulary=None, folding=None)
    if rules.vocabulary is not None:
        return rules.replace(folding=load_vocabulary(rules.vocabulary))
    if of_recipe is not None:
        return rules.replace(folding=complete(of_recipe, f"recipe {printable(recipe)}: vocabulary"))
    return rules


@lru_cache(maxsize=1)
def _default() -> Vocabulary:
    source = resources.files("pipeline") / "library" / "vocabulary" / "default.toml"
    return parse_vocabulary(source.read_text("utf-8"), DEFAULT)


def _check(vocabulary: Vocabulary, subject: str) -> None:
    """Raise `UsageError` for what the types allow and nobody can follow."""
    if vocabulary.level is not None and vocabulary.level < 0:
        raise UsageError(f"{subject}: level is {vocabulary.level}; give 1 for the topmost names, or 0 to cut nothing")
    if "" in map(str.strip, vocabulary.separators or ()):
        raise UsageError(f"{subject}: separators: one is empty or a blank; labels have blanks within, so name signs")
    if any(len(each) > 8 or any(map(str.isalnum, each)) for each in vocabulary.separators or ()):
        raise UsageError(f"{subject}: separators: a sign or a few without letters or digits, as ';' or ' / '")
    for key, words in _listed(vocabulary):
        if not all(map(str.strip, words)):
            raise UsageError(f"{subject}: {key}: a name is empty; write it, or take it out")
    _check_aliases(vocabulary, subject)
    _check_tree(vocabulary, subject)


def _listed(vocabulary: Vocabulary) -> list[tuple[str, tuple[str, ...]]]:
    """Return all names and words with the key that they stand in."""
    return [
        *((key, getattr(vocabulary, key)) for key in ("whole", "ignore", "names")),
        *(("aliases", (name, *words)) for name, words in vocabulary.aliases.items()),
        *(("tree", (name, *words)) for name, words in vocabulary.tree.items()),
    ]


def _check_aliases(vocabulary: Vocabulary, subject: str) -> None:
    """Raise `UsageError` for a word that is to be two names, or that is dropped and kept."""
    spelled: dict[str, str] = {}
    named = (
        *vocabulary.names,
        *vocabulary.aliases,
        *vocabulary.tree,
        *(c for t in vocabulary.tree.values() for c in t),
    )
    for name in named:
        other = spelled.setdefault(label_key(name), name)
        if other != name:
            raise UsageError(
                f"{subject}: {printable(other)!r} and {printable(name)!r} are one name in two spellings; keep one"
            )
    owner: dict[str, str] = {}
    for name, words in vocabulary.aliases.items():
        for word in words:
            key = label_key(word)
            if key in spelled and spelled[key] != name:
                raise UsageError(
                    f"{subject}: aliases: {printable(word)!r} is an alias of {printable(name)!r} and a name itself; "
                    "take it out of one"
                )
            if owner.setdefault(key, name) != name:
                raise UsageError(
                    f"{subject}: aliases: {printable(word)!r} is an alias of {printable(owner[key])!r} and of "
                    f"{printable(name)!r}; keep one"
                )
    for word in vocabulary.ignore:
        if (key := label_key(word)) in spelled or key in owner:
            raise UsageError(f"{subject}: ignore: {printable(word)!r} is a name or an alias too; take it out of one")


def _check_tree(vocabulary: Vocabulary, subject: str) -> None:
    """Raise `UsageError` for a name below two others, or below itself."""
    parent: dict[str, str] = {}
    for name, children in vocabulary.tree.items():
        for child in children:
            if parent.setdefault(child, name) != name:
                raise UsageError(
                    f"{subject}: tree: {printable(child)!r} is below {printable(parent[child])!r} and "
                    f"{printable(name)!r}; keep one"
                )
    for name in parent:
        path = [name]
        while (above := parent.get(path[-1])) is not None:
            path.append(above)
            if above == name:
                circle = " in ".join(map(repr, map(printable, path)))
                raise UsageError(f"{subject}: tree: a circle, {circle}; take one of them out")
            if len(path) > len(parent) + 1:
                break  # into a circle that this name is not in, which is found from its own names
