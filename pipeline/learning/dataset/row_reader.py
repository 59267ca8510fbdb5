"""One pass over the stored rows of many tracks, in bounded memory."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from pipeline.features.spec import FeatureRows

_AT_ONCE_BYTES = 32 * 2**20
_FEWEST, _MOST = 8, 512


class RowReader(Protocol):
    """The part of a store that reads rows."""

    def rows(self, family_key: str, content_hashes: Sequence[str]) -> list[FeatureRows]:
        """Return the rows of one family for each content hash, in the order of the hashes."""
        ...


def iterate_rows(source: RowReader, family_key: str, content_hashes: Sequence[str]) -> Iterator[FeatureRows]:
    """Yield the rows of one family for each content hash, in the order of the hashes, some 32 MiB at a time."""
    first, step = 0, _FEWEST
    while first < len(content_hashes):
        batch = source.rows(family_key, content_hashes[first : first + step])
        yield from batch
        first += step
        row_bytes = sum(rows.values.nbytes for rows in batch) // max(len(batch), 1)
        step = max(_FEWEST, min(_MOST, _AT_ONCE_BYTES // max(row_bytes, 1)))
