"""Files without a label: how many there are, and what can be done about them."""

from collections.abc import Mapping
from difflib import get_close_matches

from pipeline.library.tags.tags import FIELDS, field_of
from pipeline.library.vocabulary.tally import FoldCounts
from pipeline.text import printable

TAG = "tag:"
"""What the words for an embedded tag begin with."""

_LEAST_SIMILAR = 0.75


def describe_unlabelled(formats: Mapping[str, int], labels: str, folded: FoldCounts | None = None) -> str:
    """Return how many files the rule `labels` says nothing of, by format, with the mend.

    `folded` says how many of them have none as the vocabulary dropped it.
    """
    files = sum(formats.values())
    ordered = sorted(formats.items(), key=lambda item: (item[1], item[0]))
    counts = ", ".join(f"{count:,} {printable(name)}" for name, count in ordered)
    dropped = folded.unlabelled if folded is not None else 0
    also = f" ({dropped:,} by the vocabulary)" if dropped else ""
    mend = _mend(labels) if dropped < files else "mend the vocabulary's `ignore` or `unknown`"
    return (
        f"{files:,} unlabelled{also}: {counts}; nothing is learned from them: {mend}, or leave them out "
        "(`chordal scan` with --unlabelled lists them)"
    )


def similar_tag(labels: str) -> str | None:
    """Return the rule for a field that every file is asked for, where `labels` names one that looks like it."""
    field = field_of(labels.removeprefix(TAG))
    if not labels.startswith(TAG) or field in FIELDS:
        return None
    return next((TAG + name for name in get_close_matches(field, FIELDS, 1, _LEAST_SIMILAR)), None)


def _mend(labels: str) -> str:
    if not labels.startswith(TAG):
        return "mend the rule of --labels"
    similar = similar_tag(labels)
    return f"give {similar}, if you meant that, write the tag into them" if similar else "write the tag into them"
