"""A proposed vocabulary: the labels of a library, those that are nearly the same as aliases of the most frequent."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pipeline.library.vocabulary.index import VocabularyIndex
from pipeline.library.vocabulary.keys import label_key
from pipeline.library.vocabulary.load import DEFAULT, load_vocabulary, parse_vocabulary
from pipeline.library.vocabulary.near_equal import near_equal, several
from pipeline.plans.vocabulary import SEPARATORS

_HEAD = """\
# A vocabulary proposed by `chordal labels`: read it, mend it, and give it to --vocabulary.
# Names are compared without regard to case, blanks, hyphens and punctuation.
"""

_Set = tuple[str, list[str], str]
"""A name, its aliases, and why they are taken for it."""


def propose(counts: Mapping[str, int], *, extend: bool) -> str:
    """Return TOML for `--vocabulary` that makes one of labels that are nearly the same; `counts` has the files of each.

    With `extend` it adds to the default vocabulary, and lists in comments what that does not know. Without, it names
    every label as it is.
    """
    index = VocabularyIndex(load_vocabulary(DEFAULT))
    apart = several(counts)
    parts: Counter[str] = Counter()
    for label, files in counts.items():
        parts.update(dict.fromkeys(index.parts(label) if label in apart else [label], files))
    known = {label: name for label in parts if extend and (name := index.name(label)) is not None}
    if extend:  # what the default vocabulary ignores is in no need of a name
        parts = Counter({label: files for label, files in parts.items() if index.fold_one(label)})
    sets = _sets(parts, known)
    text = "\n".join(_lines(parts, sets, known, apart, extend=extend))
    parse_vocabulary(text, "proposal")  # what is written can be read
    return text


def _lines(
    parts: Mapping[str, int], sets: Sequence[_Set], known: Mapping[str, str], apart: Mapping[str, int], *, extend: bool
) -> Iterator[str]:
    yield _HEAD
    if extend:
        yield 'extends = "default"\n'
    else:
        yield f"separators = {_toml(SEPARATORS)}\n"
    if apart:
        yield "# These look like several labels in one, and are parted. If one is a single label, move it to `whole`."
        yield from (f"#   {_toml(label)}  # {_files(files)}" for label, files in apart.items())
        yield "whole = []\n"
    if extend:
        yield "# Further down the tree than this becomes the name at this level; 0 keeps all.\nlevel = 1\n"
    within = {label for name, words, _ in sets for label in (name, *words)}
    alone = [label for label in _ordered(parts) if label not in within and label not in known]
    if extend and alone:
        yield "# Labels that the default vocabulary does not know. Make them names, aliases or parts of the tree below."
        yield from (f"#   {_toml(label)}  # {_files(parts[label])}" for label in alone)
        yield "names = []\n"
    elif not extend:
        yield "names = ["
        yield from (f"  {_toml(label)},  # {_files(parts[label])}" for label in alone)
        yield "]\n"
    yield "[aliases]"
    for name, words, reason in sets:
        yield f"{_toml(name)} = {_toml(words)}  # {reason}"
    if not extend:
        yield '\n[tree]\n# "Metal" = ["Death Metal", "Doom Metal"]  # and level = 1 above makes one of them'
    yield ""


def _sets(parts: Mapping[str, int], known: Mapping[str, str]) -> list[_Set]:
    """Return the sets of labels that are nearly the same; those that share a label are one set."""
    owner: dict[str, int] = {}
    sets: dict[int, tuple[list[str], list[str]]] = {}
    for at, near in enumerate(near_equal(parts)):
        labels, reasons = list(near.labels), [near.differ_by]
        for other in {owner[label] for label in labels if label in owner}:
            joined, reasons_of_it = sets.pop(other)
            labels, reasons = [*joined, *labels], [*reasons_of_it, *reasons]
        labels, reasons = list(dict.fromkeys(labels)), list(dict.fromkeys(reasons))
        sets[at] = labels, reasons
        owner |= dict.fromkeys(labels, at)
    return [each for labels, reasons in sets.values() for each in _named(labels, reasons, parts, known)]


def _named(
    labels: Sequence[str], reasons: Sequence[str], parts: Mapping[str, int], known: Mapping[str, str]
) -> Iterator[_Set]:
    """Yield a set with its name: the one that the vocabulary knows, else the most frequent spelling."""
    ordered = sorted(labels, key=lambda label: (-parts[label], label))
    name = next((known[label] for label in ordered if label in known), ordered[0])
    # What the vocabulary knows already needs no alias, whatever name it has there.
    words = [label for label in ordered if label not in known and label != name]
    if words:
        yield name, words, "; ".join((f"differ by {', '.join(reasons)}", *(f"{w} {parts[w]}" for w in _short(ordered))))


def _short(labels: Sequence[str]) -> list[str]:
    """Return the labels that a comment can carry."""
    return [label for label in labels[:5] if len(label) <= 40 and label.isprintable()]


def _ordered(parts: Mapping[str, int]) -> list[str]:
    return sorted(parts, key=lambda label: (label_key(label), label))


def _files(count: int) -> str:
    return f"{count:,} file{'s' * (count != 1)}"


def _toml(value: str | Sequence[str]) -> str:
    import tomlkit  # its 15 ms are for whoever writes a vocabulary

    return tomlkit.item(value if isinstance(value, str) else list(value)).as_string()
