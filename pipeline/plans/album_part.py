"""A track of an album that is one file: a range of the file's sound, by its cue sheet.

Its path is that of the file with the track's number below it, `album.flac/03`, which no file can have.
"""

import hashlib

from pipeline.wire import Value


class AlbumPart(Value, frozen=True, kw_only=True):
    """The range of one track in the sound of its album's file."""

    number: int
    """As the cue sheet numbers it; 0 for sound hidden before the first track."""
    start_s: float
    """Whole samples at the file's rate, rounded: sheets count in 1/75 s, 588 samples of a CD."""
    end_s: float | None
    """None for the last one, which goes to the end."""

    def content_key(self, content_hash: str) -> str:
        """Return the content hash of this range of a file's content: 32 hex digits, whatever the track's number is."""
        key = f"album part {content_hash} {self.start_s!r} {self.end_s!r}".encode()
        return hashlib.blake2b(key, digest_size=16).hexdigest()

    def path(self, file_path: str) -> str:
        """Return the path of this track of the album in a file."""
        return f"{file_path}/{self.number:02d}"


def file_path_of(path: str, part: AlbumPart | None) -> str:
    """Return the path of the file that a track's sound is in."""
    return path if part is None else path.rpartition("/")[0]
