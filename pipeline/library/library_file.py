"""A file of a library as the sources of labels see it."""

from pipeline.library.tags.read import read_tags
from pipeline.library.tags.tags import Tags


class LibraryFile:
    """A file that labels are asked of: its path, and its tags, which are read at most once and when they are needed."""

    __slots__ = ("_tags", "path")

    def __init__(self, path: str, tags: Tags | None = None) -> None:
        self.path = path
        """Absolute, as `os.fsdecode` gives it."""
        self._tags = tags

    @property
    def tags(self) -> Tags:
        """What the file says of itself; empty where it says nothing or cannot be read."""
        if self._tags is None:
            self._tags = read_tags(self.path)
        return self._tags
