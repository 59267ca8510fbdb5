"""What is wrong with a dataset's rows: values that are not finite, repeated rows, rows on both sides of a split."""

from typing import Literal

from pipeline.wire import Value


class Flaw(Value, frozen=True, kw_only=True):
    """Rows of a track that were left out because a value is NaN or infinite."""

    path: str
    features: str
    """Feature family, by name."""
    columns: tuple[str, ...]
    rows: int
    """Left out."""
    of: int
    """There were."""


class RowSides(Value, frozen=True, kw_only=True):
    """What came of a parting of single rows: how many are on each side."""

    train: int
    validation: int
    test: int
    torn: int
    """Tracks with rows on more than one side; 0 where each has one row."""


class DuplicateSet(Value, frozen=True, kw_only=True):
    """Tracks that are one recording as far as can be told: positions in `DatasetManifest.tracks`."""

    kind: Literal["same", "near"]
    """`same`: equal file contents. `near`: fingerprints closer than other encodings of one recording usually are."""
    tracks: tuple[int, ...]
    distance: float = 0.0
    """The largest distance between neighbours in the set; 0 for equal contents."""
    kept: bool = True
    """Whether they were kept on one side of the split."""
