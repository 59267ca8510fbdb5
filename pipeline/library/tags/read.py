"""Read the tags of a file, by mutagen."""

from typing import Any

from pipeline.library.tags.tags import Tags

# RIFF and AIFF files carry ID3 frames without mutagen's easy names.
_NAMES = {
    "genre": ("genre", "TCON"),
    "artist": ("artist", "TPE1"),
    "album_artist": ("albumartist", "TPE2"),
    "album": ("album", "TALB"),
    "title": ("title", "TIT2"),
    "composer": ("composer", "TCOM"),
    "year": ("date", "TDRC"),
    "mood": ("mood", "TMOO"),
}


def read_tags(path: str) -> Tags:
    """Return the tags of the file at a path; none where it has none or cannot be read."""
    from mutagen import File

    try:
        file = File(path, easy=True)
        tags = file.tags if file is not None else None
        return Tags(**{field: _values(tags, names) for field, names in _NAMES.items()}) if tags is not None else Tags()
    except Exception:  # noqa: BLE001 -- mutagen's parsers raise anything over a malformed file
        return Tags()


def _values(tags: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        try:
            values = tags.get(name)
        except (KeyError, ValueError):  # a name this kind of tag cannot have
            continue
        if values:
            values = getattr(values, "text", values)
            return tuple(map(str, values if isinstance(values, list) else [values]))
    return ()
