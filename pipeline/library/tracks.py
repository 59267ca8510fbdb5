"""The values of a track: as scanned, as an order to extract, as a record of the store, as a receipt."""

import hashlib
import os
from typing import Literal, Self

from pipeline.errors import FailureKind
from pipeline.library.tags.tags import Tags
from pipeline.plans.album_part import AlbumPart, file_path_of
from pipeline.plans.augmentation import AugmentPlan
from pipeline.wire import Value


def track_id(path: str) -> str:
    """Return the id of the track at an absolute path: 32 hex digits, BLAKE2b of the path's bytes.

    Paths are `str` with undecodable bytes as surrogates (`os.fsdecode`), so any file name has an id.
    """
    return hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()


class FileStamp(Value, frozen=True, kw_only=True):
    """Size, times and inode of a file, which a scan reads without opening it; unchanged is what `matches`."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int = 0
    """When the file was last changed in any way, which no program can put back; 0: not known."""
    inode: int = 0
    """0: not known."""

    @classmethod
    def of(cls, status: os.stat_result) -> "FileStamp":
        """Return the stamp of a file by what the system says of it."""
        return cls(
            size_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
            ctime_ns=status.st_ctime_ns,
            inode=status.st_ino,
        )

    def matches(self, other: "FileStamp") -> bool:
        """Return whether a file with the one stamp earlier and the other now counts as unchanged.

        Where either knows no ctime or no inode, as in homes made before, size and time alone decide.
        """
        if (self.size_bytes, self.mtime_ns) != (other.size_bytes, other.mtime_ns):
            return False
        pairs = ((self.ctime_ns, other.ctime_ns), (self.inode, other.inode))
        return all(mine == theirs or not (mine and theirs) for mine, theirs in pairs)

    def joined(self, other: Self) -> Self:
        """Return one stamp for a file and another one that says how it is cut: both unchanged, or changed."""
        latest = {name: max(getattr(self, name), getattr(other, name)) for name in self.__struct_fields__}
        return self.replace(**(latest | {"size_bytes": self.size_bytes + other.size_bytes}))


class ScannedTrack(Value, frozen=True, kw_only=True):
    """One audio file found by a scan, with its label, group and fold."""

    track_id: str
    path: str
    stamp: FileStamp
    label: str | None = None
    labels: tuple[str, ...] = ()
    """All its labels, the first one among them, where the scan was to keep all; else empty."""
    group: str | None = None
    fold: str | None = None
    part: AlbumPart | None = None
    """Its range in the file of its album; None for a file of its own."""
    sheet: Tags | None = None
    """What the album's cue sheet says of it; None for a file of its own."""
    labels_found: tuple[str, ...] = ()
    """The labels that these were, or were to be, before a vocabulary folded them; empty where it changed nothing."""

    @property
    def file_path(self) -> str:
        """The path of the file that its sound is in."""
        return file_path_of(self.path, self.part)


class ExtractTrack(Value, frozen=True, kw_only=True):
    """The order to extract one file, as it crosses the broker."""

    run_id: str
    shard: int
    track_id: str
    path: str
    stamp: FileStamp
    sequence: int
    """Scan sequence: of two records of one track the one with the higher sequence counts."""
    families: tuple[str, ...]
    augment: AugmentPlan | None = None
    """Altered copies to extract beside the file; None for none."""
    chunk_s: float | None = None
    """Chunks of this length, seconds, to extract beside a file that is longer; None for none."""
    part: AlbumPart | None = None
    """The range of the file to extract; None for all of it."""
    sheet: Tags | None = None
    """What the album's cue sheet says of it; None for a file of its own."""

    @property
    def file_path(self) -> str:
        """The path of the file that its sound is in."""
        return file_path_of(self.path, self.part)


class Failure(Value, frozen=True, kw_only=True):
    """Why a file, or one family of it, has no features."""

    kind: FailureKind
    reason: str
    attempts: int = 1
    host: str = ""


Mark = Literal["retry", "deleted"]
"""A later note on a track: that it is to be extracted again, or that its file was deleted."""


class TrackRecord(Value, frozen=True, kw_only=True):
    """The store's record of one track: a row of its `tracks` table.

    `failure` is set when the whole file failed; `family_failures` names families that this file cannot have
    (a clip shorter than a 3 s segment, say) while the others stand. A record with a `mark` is no extraction.
    """

    track_id: str
    path: str
    stamp: FileStamp
    sequence: int
    content_hash: str
    """The name of its content, under which its features are stored, 32 hex digits: the digest of its sound where the
    format has one, else that of the file; in homes made before, the digest of the file as it was then. Empty when it
    could not be read at all."""
    duration_s: float = 0.0
    sample_rate_hz: int = 0
    channels: int = 0
    failure: Failure | None = None
    family_failures: dict[str, Failure] = {}
    """By family key."""
    reused: bool = False
    """True when the features of this content were already stored, under another path or an older stamp."""
    note: str = ""
    """What the decoder reported, e.g. how far a truncated file could be read."""
    copy_of: str = ""
    """Content hash of the original, when this is the record of an augmented copy and not of a file."""
    mark: Mark | None = None
    """`deleted`: a later scan, of this `sequence`, found the file gone; the others are of before. `retry`: its
    failure was taken back, and the next run extracts it again. None: the record of an extraction."""
    file_hash: str = ""
    """The first 128 bits of SHA-256 of all bytes of the file, 32 hex digits; empty when not known."""
    sound_hash: str = ""
    """The same of its sound, without tags, pictures and padding; empty where the format has none, or not known."""
    retagged: bool = False
    """Whether the file's bytes were others at this visit than at the one before, and its sound the same."""
    declared_s: float | None = None
    """With a note, the seconds of sound that the file's header declares; None where it declares none."""
    tags: Tags | None = None
    """What the file said of itself at this visit; None where it was not asked, as in homes made before."""
    part: AlbumPart | None = None
    """Its range in the file of its album; None for a file of its own."""

    @property
    def extracted(self) -> bool:
        """Whether the track was extracted and its file still exists: only then it may be learned from."""
        return self.failure is None and self.mark is None

    @property
    def has_remark(self) -> bool:
        """Whether it is of a file that was used, and its decoder has something to say of it: used in part, mostly."""
        # Imported rows have no sound, and the notes of copies say what they are copies of.
        return self.extracted and bool(self.note) and not self.copy_of and self.sample_rate_hz > 0


Outcome = Literal["extracted", "unchanged", "failed", "cancelled"]


class Receipt(Value, frozen=True, kw_only=True):
    """What an extraction task returns: enough to read in Flower, nothing to compute with."""

    track_id: str
    path: str
    outcome: Outcome
    kind: FailureKind | None = None
    reason: str = ""
    audio_s: float = 0.0
    retagged: bool = False
    """Whether its tags changed and its sound did not: nothing was decoded."""
