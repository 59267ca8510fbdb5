"""Streams one behind the other in one file, read as one sound: chained Ogg, files joined end to end."""

import os
from collections.abc import Callable, Iterator, Sequence

from pipeline.arrays import Float32
from pipeline.audio.decoders.base import Findings, Source
from pipeline.errors import PermanentError


class ChainedSource:
    """The first stream of an open descriptor, and those behind it in the layout of the first."""

    def __init__(self, descriptor: int, first: Source, links: Callable[[], Sequence[int]]) -> None:
        """Read `first`; `links` says, after its end, at which bytes further streams begin."""
        self.layout = first.layout
        self._descriptor = descriptor
        self._first = first
        self._links = links
        self._read = [_Part(first)]
        self._further: Iterator[_Part] | None = None
        self._faults: list[str] = []

    def read_into(self, block: Float32) -> int:
        """Fill a block, over the ends of streams."""
        filled = self._read[-1].read_into(block)
        while filled < len(block):
            if self._further is None:
                self._further = self._open_further()
            part = next(self._further, None)
            if part is None:
                break
            self._read.append(part)
            filled += part.read_into(block[filled:])
        return filled

    def seek(self, frame: int) -> bool:
        """Go to a frame of the first stream where its decoder can."""
        return len(self._read) == 1 and self._read[0].seek(frame)

    def findings(self, frames: int) -> Findings:
        """Return the findings on all streams."""
        del frames  # each has its own
        found = [part.source.findings(part.frames) for part in self._read]
        declared = [each.declared_s for each in found if each.declared_s is not None]
        converted_s = sum(part.frames for part in self._read if part.is_converted) / self.layout.rate_hz
        reasons = [reason for each in found for reason in each.reasons] + self._faults
        if converted_s:
            from pipeline.audio.decoders.conversion import describe_converted

            reasons.append(describe_converted(converted_s))
        return Findings(
            declared_s=sum(declared) if len(declared) == len(found) else None,
            is_short=any(each.is_short for each in found),
            reasons=tuple(reasons),
        )

    def close(self) -> None:
        """Close all streams."""
        for part in self._read:
            part.source.close()

    def _open_further(self) -> "Iterator[_Part]":
        """Yield the streams behind the first, opened one by one; what cannot be decoded is for the note."""
        starts = self._links()
        if not starts:
            return
        # Imported here: most workers never meet a file that needs it.
        from pipeline.audio.decoders.conversion import in_layout
        from pipeline.audio.decoders.libav import LibavSource

        ends = [*starts[1:], os.fstat(self._descriptor).st_size]
        for start, end in zip(starts, ends, strict=True):
            try:
                source: Source = LibavSource(self._descriptor, start=start, end=end)
            except PermanentError as error:
                self._faults.append(f"{end - start:,} bytes of another stream could not be decoded: {error}")
                continue
            wanted = in_layout(source, self.layout)
            yield _Part(wanted, is_converted=wanted is not source)


class _Part:
    """One stream, and how many frames of it were read."""

    def __init__(self, source: Source, *, is_converted: bool = False) -> None:
        self.source = source
        self.is_converted = is_converted
        self.frames = 0

    def seek(self, frame: int) -> bool:
        if not self.source.seek(frame):
            return False
        self.frames = frame
        return True

    def read_into(self, block: Float32) -> int:
        count = self.source.read_into(block)
        self.frames += count
        return count
