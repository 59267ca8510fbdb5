"""The tags of a file, under one set of names whatever its format calls them."""

import re
from collections.abc import Iterable
from functools import lru_cache

from pipeline.wire import Value

READER = 1
"""The version of the reader: what another one read is read again."""

_SEPARATORS = re.compile(r"[\s_\-.]+")


class Tags(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What a file says of itself; every field has all its values, in the file's order, none of them empty."""

    title: tuple[str, ...] = ()
    artist: tuple[str, ...] = ()
    album_artist: tuple[str, ...] = ()
    album: tuple[str, ...] = ()
    genre: tuple[str, ...] = ()
    year: tuple[str, ...] = ()
    track: tuple[str, ...] = ()
    bpm: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    comment: tuple[str, ...] = ()
    composer: tuple[str, ...] = ()
    mood: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}
    """The values of the other fields that were asked for, by their folded names; empty ones are there too."""
    cut: tuple[str, ...] = ()
    """The fields that had longer or more values than are kept; `block` when a whole block of tags was too long."""
    reader: int = 0
    """The version of the reader they were read by; 0 for tags that were not read from the file."""

    def values(self, field: str) -> tuple[str, ...]:
        """Return the values of a field as `--labels tag:FIELD` names it; empty for one that the file has not."""
        name = field_of(field)
        return getattr(self, name) if name in FIELDS else self.extra.get(name, ())

    def in_album(self, file: "Tags") -> "Tags":
        """Return the tags of a track in the file of an album: these, of its cue sheet, and what only the file says."""
        missing = [name for name in FIELDS if name not in {"title", "track"} and not getattr(self, name)]
        known = {name: getattr(file, name) for name in (*missing, "extra", "cut", "reader")}
        return self.replace(**known)

    def answers(self, fields: Iterable[str]) -> bool:
        """Return whether they were read by the present reader, and each of some fields was looked for."""
        return self.reader == READER and all(name in FIELDS or name in self.extra for name in map(field_of, fields))


FIELDS = tuple(name for name in Tags.__struct_fields__ if name not in {"extra", "cut", "reader"})
"""The fields that are read from every file."""

_SPELLINGS = {"albumartist": "album_artist", "date": "year", "tracknumber": "track", "initialkey": "key"}


def fold_name(name: str) -> str:
    """Return a name in one form, whatever its case, blanks, dashes and underscores: `albumartist`."""
    return _SEPARATORS.sub("", name).lower()


@lru_cache(maxsize=1024)
def field_of(name: str) -> str:
    """Return the field that a name stands for: one of `FIELDS`, or the folded name of another one."""
    folded = fold_name(name)
    return _SPELLINGS.get(folded, folded)
