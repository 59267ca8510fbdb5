"""A part of a sound file: sought where the decoder can, else decoded up to and passed over."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from pipeline.arrays import Float32
from pipeline.audio.decode import AudioReader, open_audio
from pipeline.audio.stream import Audio
from pipeline.errors import EmptyAudioError
from pipeline.text import printable


class PieceCutter:
    """The pieces of a sound, cut at any frame; nothing is kept but the current piece."""

    def __init__(self, pieces: Iterator[Float32], *, first: int = 0) -> None:
        """Take pieces (n, channels) that begin with frame `first` of the sound."""
        self._pieces = pieces
        self._rest: Float32 = np.empty((0, 0), np.float32)
        self._at = first
        """The first frame of the rest."""

    def skip_to(self, frame: int) -> None:
        """Pass over what comes before a frame."""
        for _ in self.until(frame):
            pass

    def until(self, end: int | None) -> Iterator[Float32]:
        """Yield what comes before a frame, or all that is left; each piece is valid until the next."""
        while end is None or self._at < end:
            if not len(self._rest):
                piece = next(self._pieces, None)
                if piece is None:
                    return
                self._rest = piece
            taken = self._rest if end is None else self._rest[: end - self._at]
            self._at += len(taken)
            self._rest = self._rest[len(taken) :]
            if len(taken):
                yield taken


class PartReader:
    """A part of a sound file being read, as `AudioReader` reads the whole."""

    def __init__(self, reader: AudioReader, *, start_s: float, end_s: float | None, name: str) -> None:
        self.sample_rate_hz, self.channels, self.info = reader.sample_rate_hz, reader.channels, reader.info
        self._reader = reader
        self._name = name
        self._start = frame_at(start_s, reader.sample_rate_hz)
        self._end = None if end_s is None else frame_at(end_s, reader.sample_rate_hz)

    @property
    def note(self) -> str:
        """As of the whole file, where the part goes to its end; else empty."""
        return self._reader.note

    @property
    def declared_s(self) -> float | None:
        """As of the whole file."""
        return self._reader.declared_s

    def blocks(self) -> Iterator[Float32]:
        """Yield the samples of the part, (n, channels), each block valid until the next.

        Raises what the blocks of the file raise, and `EmptyAudioError` for a part behind the end of the sound.
        """
        first = self._start if self._reader.seek(self._start) else 0
        cutter = PieceCutter(self._reader.blocks(), first=first)
        cutter.skip_to(self._start)
        count = 0
        for piece in cutter.until(self._end):
            count += len(piece)
            yield piece
        if not count:
            start_s = self._start / self.sample_rate_hz
            raise EmptyAudioError(f"{self._name}: the sound ends before {start_s:,.2f} s, where this track begins")


def frame_at(seconds: float, rate_hz: int) -> int:
    """Return the sample of a channel that is nearest to a time."""
    return round(seconds * rate_hz)


def decode_part(path: str, *, start_s: float, end_s: float | None, max_duration_s: float) -> Audio:
    """Return the samples of a part of a sound file; raises as `open_part` and its blocks do."""
    with open_part(path, start_s=start_s, end_s=end_s, max_duration_s=max_duration_s) as reader:
        samples = np.concatenate([block.copy() for block in reader.blocks()])
        return Audio(
            samples=samples,
            sample_rate_hz=reader.sample_rate_hz,
            note=reader.note,
            channel_names=reader.info.channel_names,
        )


@contextmanager
def open_part(path: str, *, start_s: float, end_s: float | None, max_duration_s: float) -> Iterator[PartReader]:
    """Open a part of a sound file for reading block by block; the bound is on the part. Raises as `open_audio` does."""
    bound_s = start_s + max_duration_s
    with open_audio(path, max_duration_s=bound_s) as reader:
        yield PartReader(reader, start_s=start_s, end_s=end_s, name=printable(path))
