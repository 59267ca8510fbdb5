"""The tags of a file, under one set of names whatever its format calls them."""

from pipeline.wire import Value


class Tags(Value, frozen=True, kw_only=True):
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

    def values(self, field: str) -> tuple[str, ...]:
        """Return the values of a field as `--labels tag:FIELD` names it; empty for one that no file has."""
        name = _SPELLINGS.get(field.lower(), field.lower())
        return getattr(self, name) if name in self.__struct_fields__ else ()


_SPELLINGS = {"albumartist": "album_artist", "album artist": "album_artist", "date": "year"}
