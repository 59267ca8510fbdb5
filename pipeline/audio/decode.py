"""Sound files to samples, block by block: every fault of a file becomes an error of one line."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace

import numpy as np

from pipeline.arrays import Float32
from pipeline.audio.block import BLOCK_S, StreamInfo
from pipeline.audio.boundaries.junk import start_of_sound
from pipeline.audio.boundaries.links import starts_of_links
from pipeline.audio.boundaries.unread import describe_unread
from pipeline.audio.decoders.base import Source, UnknownFormatError
from pipeline.audio.decoders.chain import ChainedSource
from pipeline.audio.decoders.fallback import FallbackSource, is_read_whole
from pipeline.audio.files import open_file, system_errors
from pipeline.audio.stream import Audio
from pipeline.errors import EmptyAudioError, PermanentError, TooLargeError, UnreadableError, UnsupportedError
from pipeline.text import printable

MAX_SAMPLE = 1e9
"""180 dB over full scale: beyond it squares no longer fit the store's 32-bit floats, and nothing is sound."""

# A block of 127 channels at 768 kHz would have 390 million samples.
_MAX_BLOCK_SAMPLES = 4_194_304


class AudioReader:
    """A sound file being read from its start to its end, by whichever decoder can."""

    sample_rate_hz: int
    channels: int
    note: str
    """After the last block: what the decoder reported, and how far a damaged file went; empty for a whole one."""
    info: StreamInfo
    """Rate and channels, with their names where the file has them."""
    declared_s: float | None = None
    """After the last block of a file with a note: the length in its header, where it has one."""

    def __init__(self, source: Source, *, path: str, max_duration_s: float, left_out: str = "") -> None:
        """Read a source; `left_out` says what of the file is not in it."""
        layout = source.layout
        self.info = StreamInfo(rate_hz=layout.rate_hz, channels=layout.channels, channel_names=layout.names)
        self.sample_rate_hz, self.channels, self.note = layout.rate_hz, layout.channels, ""
        self._left_out = left_out
        self._source = source
        self._path = path
        self._name = printable(path)
        self._max_duration_s = max_duration_s
        self._first = 0
        """The frame that the first block begins with."""
        frames = min(int(BLOCK_S * self.sample_rate_hz), _MAX_BLOCK_SAMPLES // self.channels)
        self._buffer: Float32 = np.empty((frames, self.channels), np.float32)
        # Only reading shows whether a decoder that knows the header can decode what follows it.
        self._pending = self._fill()
        if not self._pending:
            reason = source.findings(0).describe(0.0)
            raise EmptyAudioError(f"no samples ({reason})" if reason else "a header and no samples")

    def seek(self, frame: int) -> bool:
        """Begin with a frame of the sound, before the first block; False where the decoder cannot go there exactly."""
        if frame <= len(self._buffer):
            return frame == 0  # what is in the buffer is passed over sooner
        with _named_errors(self._path):
            if not self._source.seek(frame):
                return False
            self._first, self._pending = frame, self._fill()
        return True

    def blocks(self) -> Iterator[Float32]:
        """Return an iterator over the samples, float32, (n, channels), about 4 s each, the last one shorter.

        All blocks are the same memory: what is kept must be copied. Raises while iterating: `TooLargeError` past the
        bound, `UnsupportedError` for NaN, infinite or absurd samples, `TransientError` when the system failed to read.
        """
        frames, most = self._first, int(self._max_duration_s * self.sample_rate_hz)
        while self._pending:
            block = self._buffer[: self._pending]
            if frames + len(block) > most:
                raise TooLargeError(self._message(f"longer than the bound of {self._max_duration_s:,.0f} s"))
            self._check(block, frames)
            frames += len(block)
            yield block
            with _named_errors(self._path):
                self._pending = self._fill() if len(block) == len(self._buffer) else 0
        self._note_findings(frames)

    def _fill(self) -> int:
        return self._source.read_into(self._buffer)

    def _note_findings(self, frames: int) -> None:
        """Keep what the decoder has to say of the file it has read."""
        findings = self._source.findings(frames)
        findings = replace(findings, reasons=(*findings.reasons, self._left_out))
        self.note = findings.describe(frames / self.sample_rate_hz)
        # Of what was left out the decoder knows nothing: the length it gives is that of the rest.
        is_of_all = findings.is_short or not self._left_out
        self.declared_s = findings.declared_s if self.note and is_of_all else None

    def _message(self, reason: str) -> str:
        return f"{self._name}: {reason}"

    def _check(self, block: Float32, before: int) -> None:
        """Raise `UnsupportedError` for samples that would spoil every sum they enter: NaN, infinite, absurdly large."""
        flat = block.reshape(-1)
        if float(np.vdot(flat, flat)) <= MAX_SAMPLE**2:  # one pass; of NaN it is not true
            return
        highest = max(-float(block.min()), float(block.max()))  # NaN wins in both
        if highest <= MAX_SAMPLE:
            return
        bad = ~np.isfinite(block)
        if not bad.any():
            raise UnsupportedError(self._message(f"samples reach {highest:.1e} times full scale; not sound"))
        frame, channel = (int(i) for i in np.argwhere(bad)[0])
        total = (before + len(block)) * self.channels
        raise UnsupportedError(
            self._message(
                f"{int(bad.sum()):,} of {total:,} samples are NaN or infinite, "
                f"the first at frame {before + frame:,} of channel {channel}"
            )
        )


@contextmanager
def open_audio(path: str, *, max_duration_s: float) -> Iterator[AudioReader]:
    """Open a sound file for reading block by block, at its own rate and with all its channels.

    A truncated or damaged file is decoded as far as it goes, and `AudioReader.note` says how far. Memory follows the
    block, never what a header promises. Raises `MissingError`, `UnreadableError` (not sound, no permission),
    `EmptyAudioError`, `UnsupportedError` (rate or channel count out of bounds), `TransientError`, here or while the
    blocks are read, each with one line that names the file and the reason.
    """
    with open_file(path) as file, ExitStack() as stack:
        if os.fstat(file.fileno()).st_size == 0:
            raise EmptyAudioError(f"{printable(path)}: the file has 0 bytes")
        with _named_errors(path):
            reader = _reader(file.fileno(), stack, path=path, max_duration_s=max_duration_s)
        yield reader


def _reader(descriptor: int, stack: ExitStack, *, path: str, max_duration_s: float) -> AudioReader:
    """Return the reader of the first decoder that makes samples of the file; the stack closes what was opened."""

    def read(source: Source, links: Callable[[], Sequence[int]], *, left_out: str = "") -> AudioReader:
        chained = stack.enter_context(closing(ChainedSource(descriptor, source, links)))
        left_out = left_out or describe_unread(descriptor)
        return AudioReader(chained, path=path, max_duration_s=max_duration_s, left_out=left_out)

    first: PermanentError | None = None
    if is_read_whole(descriptor):
        try:
            fallback = FallbackSource(descriptor)
            return read(fallback, fallback.links)
        except (UnreadableError, EmptyAudioError) as error:
            first = error
    # Imported here: most workers never meet a file that needs it.
    from pipeline.audio.decoders.libav import LibavSource

    links = starts_of_links(descriptor)
    try:
        return read(LibavSource(descriptor, end=links[0] if links else None), lambda: links)
    except PermanentError as error:
        second = error
    for place, start in enumerate(links):
        further = links[place + 1 :]
        with suppress(UnreadableError, EmptyAudioError):
            source = LibavSource(descriptor, start=start, end=further[0] if further else None)
            return read(source, further.copy, left_out=_describe_junk(start))
    if start := start_of_sound(descriptor):
        with suppress(UnreadableError, EmptyAudioError):
            return read(LibavSource(descriptor, start=start), tuple, left_out=_describe_junk(start))
    if first is None:
        raise second
    if not isinstance(first, UnknownFormatError):
        raise first from second
    if isinstance(second, UnknownFormatError):
        raise UnreadableError("not a sound file that libsndfile or FFmpeg knows") from second
    raise second


def _describe_junk(count: int) -> str:
    return f"{count:,} bytes before the sound left out"


def decode(path: str, *, max_duration_s: float) -> Audio:
    """Return the samples of a whole sound file; raises what `open_audio` and its blocks raise.

    Memory follows what is really decoded; `TooLargeError` also when that is more than there is.
    """
    with open_audio(path, max_duration_s=max_duration_s) as reader:
        try:
            samples = _all_samples(reader)
        except MemoryError as error:
            raise TooLargeError(f"{printable(path)}: its samples do not fit in memory") from error
        return Audio(
            samples=samples,
            sample_rate_hz=reader.sample_rate_hz,
            note=reader.note,
            channel_names=reader.info.channel_names,
        )


def _all_samples(reader: AudioReader) -> Float32:
    """Return all blocks as one array."""
    samples = np.empty((0, reader.channels), np.float32)
    filled = 0
    for block in reader.blocks():
        if filled + len(block) > len(samples):
            # A quarter more each time: few moves, and no more memory than the sound needs.
            grown = filled + max(len(block), filled // 4)
            samples.resize((grown, reader.channels), refcheck=False)
        samples[filled : filled + len(block)] = block
        filled += len(block)
    samples.resize((filled, reader.channels), refcheck=False)
    return samples


@contextmanager
def _named_errors(path: str) -> Iterator[None]:
    """Put the name of the file before the reason of a decoder, which does not know it."""
    try:
        with system_errors(path):
            yield
    except PermanentError as error:
        raise type(error)(f"{printable(path)}: {error}") from error
