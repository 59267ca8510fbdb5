"""Flaws of a dataset: values that are not finite, duplicate tracks, tracks with rows on several sides of a split."""

from typing import Literal

from pipeline.wire import Value


class Flaw(Value, frozen=True, kw_only=True):
    """Rows of a track that were left out because a value is NaN or infinite."""

    path: str
    features: str
    """Feature family, by name."""
    columns: tuple[str, ...]
    rows: int
    """How many were left out."""
    of: int
    """Of how many."""


class RowSides(Value, frozen=True, kw_only=True):
    """How many single rows a split has on each side."""

    train: int
    validation: int
    test: int
    torn: int
    """Tracks with rows on more than one side; 0 where each has one row."""


class DuplicateSet(Value, frozen=True, kw_only=True):
    """Tracks that are probably one recording: positions in `DatasetManifest.tracks`."""

    kind: Literal["same", "near"]
    """`same`: equal file contents. `near`: fingerprints closer than other encodings of one recording usually are."""
    tracks: tuple[int, ...]
    distance: float = 0.0
    """The largest distance between neighbours in the set; 0 for equal contents."""
    kept: bool = True
    """Whether they were kept on one side of the split."""
