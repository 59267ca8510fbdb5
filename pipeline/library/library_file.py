"""A file of a library as the sources of labels see it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from pipeline.batches import batches
from pipeline.library.tags.read import find_tags
from pipeline.library.tags.tags import FIELDS, Tags, field_of
from pipeline.library.tracks import FileStamp

AHEAD_FILES = 1000
"""How many files a walk is ahead of the tracks that are made of them, where tags are needed."""


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
            self._tags = find_tags(self.path) or Tags()
        elif self._album is not None:
            self._tags, self._album = self._tags.in_album(self._album.tags), None
        return self._tags

    def tag_values(self, field: str) -> tuple[str, ...]:
        """Return the values of any field, also of one that is not read from every file."""
        name = field_of(field)
        if name not in FIELDS and name not in self.tags.extra:
            found = find_tags(self.path, [*self.tags.extra, name]) or Tags()
            self._tags = self.tags.replace(extra={name: (), **self.tags.extra, **found.extra})
        return self.tags.values(field)

    def track(self, sheet: Tags) -> "LibraryFile":
        """Return a track in this file, of which a cue sheet says something."""
        return LibraryFile(self.path, sheet, album=self)


class TagSource(Protocol):
    """Has the tags of many files at once."""

    def tags_of(self, files: Sequence[tuple[str, FileStamp]]) -> Sequence[Tags | None]:
        """Return the tags of files, given by path and stamp; None for those that cannot be read."""
        ...


class LibraryFiles:
    """The files of a walk, with their tags where a source has them: read for many files at once, ahead of their use."""

    def __init__(self, tags: TagSource | None = None) -> None:
        self._tags = tags
        self._ahead: dict[str, LibraryFile] = {}

    def ahead(self, files: Iterable[tuple[str, FileStamp]]) -> Iterator[tuple[str, FileStamp]]:
        """Yield the files of a walk when their tags are there."""
        if self._tags is None:
            yield from files
            return
        for some in batches(files, AHEAD_FILES):
            found = self._tags.tags_of(some)
            self._ahead = {path: LibraryFile(path, tags or Tags()) for (path, _), tags in zip(some, found, strict=True)}
            yield from some

    def file(self, path: str) -> LibraryFile:
        """Return the file at a path."""
        return self._ahead.get(path) or LibraryFile(path)
