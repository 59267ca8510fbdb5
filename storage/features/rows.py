"""Rows of a feature family with the track each belongs to."""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Float32, Int64
from pipeline.features.spec import FeatureSpec
from pipeline.library.tags.tags import Tags
from pipeline.library.tracks import Failure
from pipeline.text import printable

TAG_COLUMNS = (
    "title", "artist", "album_artist", "album", "genre", "year", "track", "bpm", "key", "comment",
)  # fmt: skip
"""The fields of tags that tables and exports have, as texts: several values with `; ` between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One file: its record, with its label, group and fold."""

    track_id: str
    path: str
    label: str | None
    group: str | None
    fold: str | None
    duration_s: float
    sample_rate_hz: int
    channels: int
    content_hash: str
    note: str
    failure: Failure | None
    """Why it has no features, when the whole file failed; otherwise None."""
    tags: Tags | None = None
    """What the file says of itself, each field with all its values; None where it was not asked."""

    def word(self, column: str) -> str | None:
        """Return the text of a column of a table; None where there is none."""
        if column in TAG_COLUMNS:
            return "; ".join(getattr(self.tags, column)) or None if self.tags is not None else None
        text: str | None = getattr(self, column)
        return printable(text) if column == "path" and text is not None else text


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRows:
    """Rows of one family of several tracks, in the order of the tracks.

    `values` has shape (rows, *row_shape), float32; `start_s` (rows,), seconds; `channel` (rows,), -1 for the mix of
    all channels; `track` (rows,) is each row's track as a position in `tracks`.
    """

    spec: FeatureSpec
    tracks: tuple[Track, ...]
    values: Float32
    start_s: Float32
    channel: np.ndarray[tuple[int], np.dtype[np.int8]]
    track: Int64

    def __len__(self) -> int:
        return len(self.values)

    @property
    def labels(self) -> np.ndarray:
        """The label of each row, (rows,), None where its track has none."""
        return self._of_track("label")

    @property
    def groups(self) -> np.ndarray:
        """The group of each row, (rows,), None where its track has none."""
        return self._of_track("group")

    def _of_track(self, name: str) -> np.ndarray:
        return np.array([getattr(track, name) for track in self.tracks], dtype=object)[self.track]
