"""A vocabulary: which labels mean the same, which are parts of others, and where several in one value end."""

from typing import Literal

from pipeline.wire import Value

SEPARATORS = (";", "/", ",", "|", "\0")
"""What stands between several labels in one value, unless a vocabulary says otherwise."""


class Vocabulary(Value, frozen=True, kw_only=True):
    """The names that labels are folded to; read from TOML by `pipeline.library.vocabulary.load`.

    Names are compared without regard to case, blanks, hyphens and punctuation.
    """

    extends: Literal["", "default"] = ""
    """The vocabulary that comes with chordal, of which this one says what differs; empty for none."""
    separators: tuple[str, ...] | None = None
    """None: those of the vocabulary that it extends, else `SEPARATORS`."""
    whole: tuple[str, ...] = ()
    """Names with a separator in them that are one label all the same; all names below are anyway."""
    level: int | None = None
    """Names further down the tree become the one at this level, 1 for the topmost; 0 cuts nothing. None: as in the
    vocabulary that it extends, else 0."""
    unknown: Literal["fold", "keep", "drop"] | None = None
    """What becomes of a label that is none of the names: `fold` writes it with capitals and blanks, `keep` leaves it
    as it is, `drop` takes it for none. None: as in the vocabulary that it extends, else `fold`."""
    ignore: tuple[str, ...] = ()
    """Labels that say nothing and are dropped."""
    names: tuple[str, ...] = ()
    """Names that have neither aliases nor a place in the tree."""
    aliases: dict[str, tuple[str, ...]] = {}
    """Other words for a name, by the name."""
    tree: dict[str, tuple[str, ...]] = {}
    """What belongs to a name, by the name: `Metal = ["Death Metal", "Doom Metal"]`."""
