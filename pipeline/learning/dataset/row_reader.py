"""One pass over the stored rows of many tracks, in little memory whatever a row is."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from pipeline.features.spec import FeatureRows

_AT_ONCE_BYTES = 32 * 2**20
_FEWEST, _MOST = 8, 512


class Reader(Protocol):
    """What is needed of a store."""

    def rows(self, family_key: str, content_hashes: Sequence[str]) -> list[FeatureRows]:
        """Return the rows of one family for each content hash, in the order asked."""
        ...


def each_rows(source: Reader, family_key: str, content_hashes: Sequence[str]) -> Iterator[FeatureRows]:
    """Yield the rows of one family for each content hash, in the order asked, some 32 MiB at a time."""
    first, step = 0, _FEWEST
    while first < len(content_hashes):
        some = source.rows(family_key, content_hashes[first : first + step])
        yield from some
        first += step
        of_one = sum(rows.values.nbytes for rows in some) // max(len(some), 1)
        step = max(_FEWEST, min(_MOST, _AT_ONCE_BYTES // max(of_one, 1)))
