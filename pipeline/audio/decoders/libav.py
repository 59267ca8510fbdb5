"""What libsndfile cannot open, by the FFmpeg libraries that PyAV brings: M4A, WMA, APE, WavPack, video with sound.

FFmpeg opens far more than sound: playlists that name other files and hosts, pictures, subtitles, games' containers.
Only formats and codecs that music comes in are let through, nothing but the file itself is ever opened, and no video
or picture is decoded. One thread; the log goes to the note.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.plane import AudioPlane
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition

from pipeline.arrays import Float32
from pipeline.audio.decoders.base import ENDS_EARLY, UnknownFormatError, check_layout, decoding_note, in_a_sentence
from pipeline.audio.decoders.libav_log import LibavLog
from pipeline.audio.decoders.libav_names import CODECS, FORMATS
from pipeline.errors import EmptyAudioError, UnreadableError, UnsupportedError
from pipeline.text import printable

# PyAV's own checks raise the plain ones.
_ERRORS = (av.FFmpegError, ValueError, OverflowError, MemoryError, RuntimeError)
_MAX_OFFSET = 2**62

_LIMITS = {
    "format_whitelist": ",".join(FORMATS),
    "codec_whitelist": ",".join(CODECS),
    # How much is read, decoded and kept to find out what a file holds.
    "probesize": "5000000",
    "analyzeduration": "5000000",
    "max_streams": "64",
    # PyAV asks for time stamps that nobody here needs: reading ahead for them holds a large part of some files.
    "fflags": "-genpts",
}
# No codec of music makes longer frames; a damaged one may declare 2 billion samples.
_MAX_FRAME_SAMPLES = 16_777_216
# Monkey's Audio, whose packets are the longest, puts 1,179,648 into one.
_MAX_PACKET_SAMPLES = 4_194_304
# Formats without a table of their length: FFmpeg guesses from the bit rate.
_GUESSED_LENGTH = frozenset({"aac", "ac3", "amr", "dts", "dtshd", "eac3", "loas", "mlp", "mp3", "mpeg", "truehd"})
# A declared length may count the encoder's padding, or a last frame of which only a part is sound.
_LENGTH_SLACK_S = 0.25

_KINDS: dict[str, tuple[type[np.generic], float, float]] = {
    "u8": (np.uint8, 128.0, 2.0**-7),
    "s16": (np.int16, 0.0, 2.0**-15),
    "s32": (np.int32, 0.0, 2.0**-31),
    "s64": (np.int64, 0.0, 2.0**-63),
    "flt": (np.float32, 0.0, 1.0),
    "dbl": (np.float64, 0.0, 1.0),
}
"""By FFmpeg's sample format: the type, its middle, and the factor to full scale 1.0."""


class LibavSource:
    """An open descriptor as FFmpeg reads it; raises `UnreadableError`, `EmptyAudioError`, `UnsupportedError`.

    The layout is that of the first samples; frames of another one, the work of damage or of splicing, are left out.
    """

    def __init__(self, descriptor: int, *, start: int = 0) -> None:
        """Open what begins at byte `start` of the file."""
        self._start = start
        self._file = _Bytes(descriptor, start)
        self._log = LibavLog()
        try:
            with self._reading():
                self._container = av.open(
                    self._file, "r", container_options=_LIMITS, metadata_errors="replace", io_open=_refuse
                )
        except _ERRORS as error:
            if reason := self._log.first():
                raise UnreadableError(f"FFmpeg says: {reason}") from error
            raise UnknownFormatError(str(error)) from error
        self._packets = self._bad_packets = self._other_frames = 0
        self._fault = ""
        try:
            self._stream = _sound_of(self._container)
            self._log.clear()  # of what is no sound
            self._frames = self._decoded()
            first = self._first()
            self.sample_rate_hz, self.channels = first.sample_rate, first.layout.nb_channels
            check_layout(rate_hz=self.sample_rate_hz, channels=self.channels)
            self._frame: AudioFrame | None = first
            self._used = 0
        except BaseException:
            self.close()
            raise

    def read_into(self, block: Float32) -> int:
        """Fill a block; a fault of FFmpeg's ends the sound where it was met, a packet it cannot decode is left out."""
        filled = 0
        # Numbers that no 32-bit float holds become infinite, which is found where samples are checked.
        with self._reading(), np.errstate(over="ignore", invalid="ignore"):
            while self._frame is not None and filled < len(block):
                count = min(self._frame.samples - self._used, len(block) - filled)
                _convert(self._frame, block[filled : filled + count], start=self._used)
                filled += count
                self._used += count
                if self._used == self._frame.samples:
                    self._frame, self._used = self._next(), 0
        return filled

    def seek(self, _frame: int) -> bool:
        """Say no: where FFmpeg lands depends on the format and its index."""
        return False

    def note(self, frames: int) -> str:
        """Return how far a damaged file could be read and what FFmpeg logged while reading it."""
        decoded_s, declared_s = frames / self.sample_rate_hz, _declared_s(self._container, self._stream)
        short = declared_s is not None and decoded_s < declared_s - _LENGTH_SLACK_S
        bad = self._bad_packets or self._other_frames
        if declared_s is not None and not short and not bad and self._fault:
            reasons = []  # a fault behind all that was declared is one of the tags there
        else:
            reasons = [self._fault or (ENDS_EARLY if short else "")]
            if self._bad_packets:
                reasons.append(f"{self._bad_packets:,} of {self._packets:,} packets could not be decoded")
            if self._other_frames:
                reasons.append(f"{self._other_frames:,} frames of another rate or channel count left out")
            reasons.append(self._log.describe())
        if self._start:
            reasons.append(f"{self._start:,} bytes before the sound left out")
        return decoding_note(decoded_s, declared_s if short else None, reasons)

    def close(self) -> None:
        """Free FFmpeg's state."""
        self._container.close()

    def _first(self) -> AudioFrame:
        """Return the first frame with samples, or raise the reason that there is none."""
        with self._reading():
            frame = next(self._frames, None)
            if frame is not None:
                return frame
        reason = self._fault or self._log.first()
        if self._bad_packets:
            raise UnreadableError(f"none of {self._packets:,} packets can be decoded{reason and f': {reason}'}")
        raise EmptyAudioError(f"no samples ({reason})" if reason else "a header and no samples")

    def _next(self) -> AudioFrame | None:
        """Return the next frame of the file's layout; None after the last."""
        for frame in self._frames:
            if (frame.sample_rate, frame.layout.nb_channels) == (self.sample_rate_hz, self.channels):
                return frame
            self._other_frames += 1
        return None

    def _decoded(self) -> Iterator[AudioFrame]:
        """Return an iterator over the frames that have samples, over packets and demuxing that fail."""
        try:
            for packet in self._container.demux(self._stream):
                self._packets += bool(packet.size)
                yield from self._frames_of(packet)
        except IndexError:
            # At the end, PyAV stumbles over streams that a damaged file added after its header.
            yield from self._frames_of(None)
        except _ERRORS as error:
            self._fault = self._log.first() or _reason(error)
            yield from self._frames_of(None)

    def _frames_of(self, packet: "Packet[AudioStream] | None") -> Iterator[AudioFrame]:
        """Return the frames of a packet, of None (and the empty one at the end) those the decoder still holds."""
        try:
            if packet is not None:
                _check_size(packet)
            frames = self._stream.codec_context.decode(packet)
        except _ERRORS as error:
            self._log.add(_reason(error))
            self._bad_packets += bool(packet and packet.size)
            frames = []
        self._log.drain()
        return (frame for frame in frames if frame.samples)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Capture FFmpeg's log; raise the system's error of a read, which FFmpeg takes for the end of the file."""
        try:
            with self._log.capture():
                yield
        finally:
            if self._file.error:
                raise self._file.error


class _Bytes:
    """The file object that FFmpeg reads: without a name or a descriptor, and a seek out of bounds is no error."""

    def __init__(self, descriptor: int, start: int) -> None:
        self._descriptor = descriptor
        self._start = start
        self._at = 0
        self.error: OSError | None = None

    def read(self, size: int) -> bytes:
        try:
            data = os.pread(self._descriptor, size, self._start + self._at)
        except OSError as error:
            self.error = error
            return b""
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int) -> int:
        start = (0, self._at, os.fstat(self._descriptor).st_size - self._start)[whence]
        if not 0 <= start + offset <= _MAX_OFFSET:
            return -1
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at


def _refuse(url: str, _flags: int, _options: dict[str, str]) -> None:
    """Open nothing that a file names: neither other files nor hosts."""
    raise PermissionError(f"a file that refers to {printable(url)}")


def _sound_of(container: InputContainer) -> AudioStream:
    """Return the stream to decode, set to one thread; the packets of all others are dropped by the demuxer."""
    if not container.streams.audio:
        raise EmptyAudioError("no sound track")
    # Not `streams.best`: it fails over streams that a damaged file adds after its header.
    for stream in sorted(container.streams.audio, key=lambda stream: not stream.disposition & Disposition.default):
        if getattr(stream.codec_context, "name", None) in CODECS:  # None without a decoder
            break
    else:
        raise UnsupportedError("its sound is in a form that nothing here decodes")
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"max_samples": str(_MAX_FRAME_SAMPLES)}
    return stream


def _check_size(packet: "Packet[AudioStream]") -> None:
    """Refuse a packet of Monkey's Audio that declares, in its first number, more samples than any encoder puts there.

    From 24 damaged bytes FFmpeg made 134 million samples, of which PyAV keeps all until the packet ends.
    """
    if packet.stream.codec_context.name == "ape":
        declared = int.from_bytes(memoryview(packet)[:4], "little")
        if declared > _MAX_PACKET_SAMPLES:
            raise ValueError(f"a packet of {declared:,} samples")


def _convert(frame: AudioFrame, out: Float32, *, start: int) -> None:
    """Write the samples of a frame from `start` on to `out`, (frames, channels), with full scale at 1.0."""
    dtype, middle, scale = _KINDS[frame.format.name.removesuffix("p")]
    channels, end = out.shape[1], start + len(out)
    if frame.format.is_planar:
        # Not `frame.planes`: it looks for the end of a list that has none with more than eight channels.
        for channel in range(channels):
            out[:, channel] = np.frombuffer(memoryview(AudioPlane(frame, channel)), dtype, end)[start:]
    else:
        packed = np.frombuffer(memoryview(AudioPlane(frame, 0)), dtype, end * channels)
        out[:] = packed[start * channels :].reshape(-1, channels)
    if middle:
        out -= middle
    if scale != 1.0:
        out *= scale


def _declared_s(container: InputContainer, stream: AudioStream) -> float | None:
    """Return the seconds of sound a header promises; None where FFmpeg could only guess."""
    if not _GUESSED_LENGTH.isdisjoint(container.format.name.split(",")):
        return None
    if stream.duration is not None and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and not container.streams.video:
        return container.duration / av.time_base
    return None


def _reason(error: Exception) -> str:
    """Return the message of an error as the end of a sentence."""
    return printable(in_a_sentence(str(getattr(error, "strerror", None) or error)))
