"""Several feature families computed in one pass over a sound; what one of them cannot do stops none of the others."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.arrays import Float32
from pipeline.audio.block import AudioBlock, StreamInfo
from pipeline.audio.stream import AudioStream
from pipeline.errors import PermanentError, UnsupportedError
from pipeline.features.row_buffer import all_finite
from pipeline.features.spec import Accumulator, FeatureFamily, FeatureRows
from pipeline.library.tracks import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyResults:
    """What came of the families of one sound."""

    rows: dict[str, FeatureRows]
    """By family key."""
    failures: dict[str, Failure]
    """Of the other families, by family key."""
    frames: int
    """Samples of each channel."""

    @property
    def failure(self) -> Failure | None:
        """The first family's failure where no family has rows, which is that of the whole sound."""
        return None if self.rows else next(iter(self.failures.values()), None)


def compute_families(
    pieces: Iterable[Float32],
    info: StreamInfo,
    families: Iterable[FeatureFamily],
    *,
    host: str,
    beside: Iterable[FeatureFamily] = (),
) -> FamilyResults:
    """Compute some families of a sound given in pieces (n, channels) of any size.

    Those `beside` them nobody asked for: they come with the others' rows, and when they fail, nothing did. Raises what
    the pieces raise.
    """
    started = [_Computation(family, info) for family in families]
    companions = [_Computation(family, info) for family in beside]
    stream = AudioStream(info)
    for block in stream.blocks(pieces):
        for each in (*started, *companions):
            each.push(block)
    rows: dict[str, FeatureRows] = {}
    failures: dict[str, Failure] = {}
    for each in started:
        result = each.finish()
        if isinstance(result, PermanentError):
            failures[each.key] = Failure(kind=result.kind, reason=str(result), host=host)
        else:
            rows[each.key] = result
    for each in companions if rows else ():
        result = each.finish()
        if not isinstance(result, PermanentError):
            rows[each.key] = result
    return FamilyResults(rows=rows, failures=failures, frames=stream.frames)


class _Computation:
    """One family's pass over a sound, to its end or to the error that ends it."""

    def __init__(self, family: FeatureFamily, info: StreamInfo) -> None:
        self.key = family.spec.key
        self._name = family.spec.name
        self._error: PermanentError | None = None
        self._accumulator: Accumulator | None = None
        try:
            self._accumulator = family.start(info)
        except PermanentError as error:
            self._error = error

    def push(self, block: AudioBlock) -> None:
        """Hand the block on while the family can use it."""
        if self._accumulator is None:
            return
        try:
            self._accumulator.push(block)
        except PermanentError as error:
            self._error, self._accumulator = error, None

    def finish(self) -> FeatureRows | PermanentError:
        """Return the rows, or why there are none; the store and the models never see a number that is not finite."""
        if self._accumulator is None:
            return self._error or UnsupportedError(f"{self._name} never began")
        try:
            rows = self._accumulator.finish()
        except PermanentError as error:
            return error
        finally:
            self._accumulator = None
        if not all_finite(rows.values):
            return UnsupportedError(f"{self._name} yields numbers that are not finite")
        return rows
