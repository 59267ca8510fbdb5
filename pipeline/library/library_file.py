"""A file of a library as the sources of labels see it."""

from pipeline.library.tags.read import read_tags
from pipeline.library.tags.tags import Tags


class LibraryFile:
    """A file that labels are asked of: its path, and its tags, which are read at most once and when they are needed."""

    __slots__ = ("_album", "_tags", "path")

    def __init__(self, path: str, tags: Tags | None = None, *, album: "LibraryFile | None" = None) -> None:
        """Take the file at a path; for a track in an album's file, `tags` are of its cue sheet and `album` the file."""
        self.path = path
        """Absolute, as `os.fsdecode` gives it; that of the album's file for a track in one."""
        self._tags = tags
        self._album = album

    @property
    def tags(self) -> Tags:
        """What the file says of itself; empty where it says nothing or cannot be read."""
        if self._tags is None:
            self._tags = read_tags(self.path)
        elif self._album is not None:
            self._tags, self._album = _merged(self._tags, self._album.tags), None
        return self._tags

    def track(self, sheet: Tags) -> "LibraryFile":
        """Return a track in this file, of which a cue sheet says something."""
        return LibraryFile(self.path, sheet, album=self)


_OF_FILE = frozenset({"title", "track"})
"""What the tags of an album's file say of the album, and not of each track in it."""


def _merged(sheet: Tags, file: Tags) -> Tags:
    """Return the tags of a track: what the sheet says, and what only the album's file says."""
    missing = [name for name in Tags.__struct_fields__ if not getattr(sheet, name) and name not in _OF_FILE]
    return sheet.replace(**{name: getattr(file, name) for name in missing})
