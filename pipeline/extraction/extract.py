"""One file to features: decoded once for all families; what fails is recorded, never raised."""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from pipeline.arrays import Float32
from pipeline.audio.block import AudioBlock, StreamInfo
from pipeline.audio.decode import open_audio
from pipeline.audio.hashing import content_hash as hashed
from pipeline.audio.stream import AudioStream
from pipeline.errors import PermanentError, UnsupportedError
from pipeline.features.registry import family
from pipeline.features.row_buffer import all_finite
from pipeline.features.spec import Accumulator, FeatureFamily, FeatureRows
from pipeline.library.tracks import ExtractTrack, Failure, TrackRecord
from pipeline.text import printable

Alter = Callable[[Iterable[Float32], StreamInfo], Iterable[Float32]]
"""From the pieces (n, channels) of a sound to those of an altered one, of the same rate and channels."""


def extract(
    order: ExtractTrack,
    *,
    missing: AbstractSet[str],
    max_duration_s: float,
    host: str = "",
    content_hash: str | None = None,
    alter: Alter = lambda pieces, _: pieces,
) -> tuple[TrackRecord, dict[str, FeatureRows]]:
    """Return what is to be stored of one file: its record, and the rows of the missing families by family key.

    `missing` names the families to compute; `alter` may change the samples before any family hears them.
    A `PermanentError` of the decoder is the record's `failure`; one of a family is an entry of `family_failures` while
    the other families stand; when all of them fail, so does the track, with the first one's kind.
    `content_hash` is the file's where the caller knows it; otherwise the file is read once more for it.
    Raises `TransientError` when the file may be readable later, `UsageError` for an unknown family.
    """
    wanted = [family(name) for name in sorted(missing)]
    record = TrackRecord(
        track_id=order.track_id, path=order.path, stamp=order.stamp, sequence=order.sequence, content_hash=""
    )
    try:
        record = record.replace(content_hash=content_hash or hashed(order.path))
        with open_audio(order.path, max_duration_s=max_duration_s) as reader:
            stream = AudioStream(StreamInfo(rate_hz=reader.sample_rate_hz, channels=reader.channels))
            computed = [Computing(each, stream.info) for each in wanted]
            for block in stream.blocks(alter(reader.blocks(), stream.info)):
                for each in computed:
                    each.push(block)
            record = record.replace(
                duration_s=stream.frames / reader.sample_rate_hz,
                sample_rate_hz=reader.sample_rate_hz,
                channels=reader.channels,
                note=reader.note,
            )
    except PermanentError as error:
        return record.replace(failure=failure_of(error, order.path, host)), {}
    rows: dict[str, FeatureRows] = {}
    failures: dict[str, Failure] = {}
    for each in computed:
        told = each.finish()
        if isinstance(told, PermanentError):
            failures[each.key] = failure_of(told, order.path, host)
        else:
            rows[each.key] = told
    whole = next(iter(failures.values())) if failures and not rows else None
    return record.replace(failure=whole, family_failures=failures), rows


class Computing:
    """A family at work on the track, up to its end or to what this family cannot do with it."""

    def __init__(self, family: FeatureFamily, stream: StreamInfo) -> None:
        self.key = family.spec.key
        self._name = family.spec.name
        self._error: PermanentError | None = None
        try:
            self._working: Accumulator | None = family.start(stream)
        except PermanentError as error:
            self._error, self._working = error, None

    def push(self, block: AudioBlock) -> None:
        """Hand the block on while the family can use it."""
        if self._working is None:
            return
        try:
            self._working.push(block)
        except PermanentError as error:
            self._error, self._working = error, None

    def finish(self) -> FeatureRows | PermanentError:
        """Return the rows, or why there are none; the store and the models never see a number that is not finite."""
        if self._working is None:
            return self._error or UnsupportedError(f"{self._name} never began")
        try:
            rows = self._working.finish()
        except PermanentError as error:
            return error
        finally:
            self._working = None
        if not all_finite(rows.values):
            return UnsupportedError(f"{self._name} yields numbers that are not finite")
        return rows


def failure_of(error: PermanentError, path: str, host: str) -> Failure:
    """Return the record of an error; the path stands beside it already."""
    return Failure(kind=error.kind, reason=str(error).removeprefix(f"{printable(path)}: "), host=host)
