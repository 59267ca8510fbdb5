"""The values of a track: as scanned, as an order to extract, as a record of the store, as a receipt."""

import hashlib
import os
from typing import Literal

from pipeline.errors import FailureKind
from pipeline.plans.augmentation import AugmentPlan
from pipeline.wire import Value


def track_id(path: str) -> str:
    """Return the id of the track at an absolute path: 32 hex digits, BLAKE2b of the path's bytes.

    Paths are `str` with undecodable bytes as surrogates (`os.fsdecode`), so any file name has an id.
    """
    return hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()


class FileStamp(Value, frozen=True, kw_only=True):
    """Size and time of a file, which a scan reads without opening it; equal stamps count as an unchanged file."""

    size_bytes: int
    mtime_ns: int


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
    labels_found: tuple[str, ...] = ()
    """The labels that these were, or were to be, before a vocabulary folded them; empty where it changed nothing."""


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
    """The first 128 bits of SHA-256 of the file's bytes, 32 hex digits; empty when it could not be read at all."""
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

    @property
    def extracted(self) -> bool:
        """Whether the track was extracted and its file still exists: only then it may be learned from."""
        return self.failure is None and self.mark is None


Outcome = Literal["extracted", "unchanged", "failed", "cancelled"]


class Receipt(Value, frozen=True, kw_only=True):
    """What an extraction task returns: enough to read in Flower, nothing to compute with."""

    track_id: str
    path: str
    outcome: Outcome
    kind: FailureKind | None = None
    reason: str = ""
    audio_s: float = 0.0
