"""What libsndfile cannot open, by the FFmpeg libraries that PyAV brings: M4A, WMA, APE, WavPack, video with sound.

FFmpeg opens far more than sound: playlists that name other files and hosts, pictures, subtitles, games' containers.
Only formats and codecs that music comes in are let through, nothing but the file itself is ever opened, and no video
or picture is decoded. One thread; the log goes to the note.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition

from pipeline.arrays import Float32
from pipeline.audio.channels import ChannelNames, in_wave_order, wave_permutation
from pipeline.audio.decoders.base import (
    ENDS_EARLY,
    Findings,
    Layout,
    UnknownFormatError,
    check_layout,
    in_a_sentence,
)
from pipeline.audio.decoders.conversion import Converter, alike, describe_converted
from pipeline.audio.decoders.libav_channels import names_of, take_names
from pipeline.audio.decoders.libav_file import FileBytes, refuse
from pipeline.audio.decoders.libav_log import LibavLog
from pipeline.audio.decoders.libav_names import CODECS, FORMATS
from pipeline.audio.decoders.libav_samples import Piece, copy_samples, length_of
from pipeline.errors import EmptyAudioError, PermanentError, UnreadableError, UnsupportedError
from pipeline.text import printable

# PyAV's own checks raise the plain ones.
_ERRORS = (av.FFmpegError, ValueError, OverflowError, MemoryError, RuntimeError)

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
_GUESSED_LENGTH = frozenset(
    {"aac", "ac3", "amr", "dts", "dtshd", "eac3", "loas", "mlp", "mp3", "mpeg", "mpegts", "truehd"}
)
# A declared length may count the encoder's padding, or a last frame of which only a part is sound.
_LENGTH_SLACK_S = 0.25


class LibavSource:
    """An open descriptor as FFmpeg reads it; raises `UnreadableError`, `EmptyAudioError`, `UnsupportedError`.

    The layout is that of the first samples; those of another one, the work of splicing or of damage, are converted.
    """

    def __init__(self, descriptor: int, *, start: int = 0, end: int | None = None) -> None:
        """Open what lies from byte `start` to byte `end` of the file, or to its end."""
        self._file = FileBytes(descriptor, start, end)
        self._log = LibavLog()
        try:
            with self._reading():
                self._container = av.open(
                    self._file, "r", container_options=_LIMITS, metadata_errors="replace", io_open=refuse
                )
        except _ERRORS as error:
            if reason := self._log.first():
                raise UnreadableError(f"FFmpeg says: {reason}") from error
            raise UnknownFormatError(str(error)) from error
        self._packets = self._bad_packets = 0
        self._converted_s = self._left_out_s = 0.0
        self._fault = ""
        try:
            self._stream = _sound_of(self._container)
            self._log.clear()  # of what is no sound
            self._names = take_names(self._stream)
            self._order: tuple[int, ...] | None = None
            self._frames = self._decoded()
            first = self._first()
            self.layout = self._layout_of(first)
            check_layout(rate_hz=self.layout.rate_hz, channels=self.layout.channels)
            if not names_of(first.layout):
                self._order = wave_permutation(self.layout.names and self._names)
            self._pieces = self._in_one_layout(first)
            self._piece: Piece | None = next(self._pieces)
            self._used = 0
        except BaseException:
            self.close()
            raise

    @property
    def names(self) -> ChannelNames:
        """Which channels the file says it has, in the order of its samples."""
        return self._names or self.layout.names

    def read_into(self, block: Float32) -> int:
        """Fill a block; a fault of FFmpeg's ends the sound where it was met, a packet it cannot decode is left out."""
        filled = 0
        # Numbers that no 32-bit float holds become infinite, which is found where samples are checked.
        with self._reading(), np.errstate(over="ignore", invalid="ignore"):
            while self._piece is not None and filled < len(block):
                length = length_of(self._piece)
                count = min(length - self._used, len(block) - filled)
                self._write(self._piece, block[filled : filled + count], start=self._used)
                filled += count
                self._used += count
                if self._used == length:
                    self._piece, self._used = next(self._pieces, None), 0
        return filled

    def seek(self, _frame: int) -> bool:
        """Say no: where FFmpeg lands depends on the format and its index."""
        return False

    def findings(self, frames: int) -> Findings:
        """Return how far a damaged file could be read and what FFmpeg logged while reading it."""
        declared_s = _declared_s(self._container, self._stream)
        short = declared_s is not None and frames / self.layout.rate_hz < declared_s - _LENGTH_SLACK_S
        reasons = []
        # A fault behind all that was declared is one of the tags there.
        if declared_s is None or short or self._bad_packets or self._left_out_s or not self._fault:
            reasons.append(self._fault or (ENDS_EARLY if short else ""))
            if self._bad_packets:
                reasons.append(f"{self._bad_packets:,} of {self._packets:,} packets could not be decoded")
            if self._left_out_s:
                reasons.append(f"{self._left_out_s:.2f} s of a layout that no sound has left out")
            reasons.append(self._log.describe())
        if self._converted_s:
            reasons.append(describe_converted(self._converted_s))
        return Findings(declared_s=declared_s, is_short=short, reasons=tuple(reasons))

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

    def _layout_of(self, frame: AudioFrame) -> Layout:
        """Return the layout of a frame; the decoder knows best which channels it made."""
        count = frame.layout.nb_channels
        names = names_of(frame.layout) or (self._names if len(self._names) == count else ())
        return Layout(rate_hz=frame.sample_rate, channels=count, names=in_wave_order(names))

    def _in_one_layout(self, first: AudioFrame) -> Iterator[Piece]:
        """Yield the sound from its first frame on: frames as they are, and samples of those that were converted."""
        converter, source = None, self.layout
        for frame in chain((first,), self._frames):
            is_same = (frame.sample_rate, frame.layout) == (first.sample_rate, first.layout)
            if is_same or alike(self._layout_of(frame), self.layout):
                if converter is not None:
                    yield from filter(len, converter.rest())
                    converter = None
                yield frame
                continue
            layout = self._layout_of(frame)
            if not _is_sound(layout):
                self._left_out_s += frame.samples / max(frame.sample_rate, 1)
                continue
            if converter is None or layout != source:
                if converter is not None:
                    yield from filter(len, converter.rest())
                converter, source = Converter(layout, self.layout), layout
            self._converted_s += frame.samples / frame.sample_rate
            samples: Float32 = np.empty((frame.samples, layout.channels), np.float32)
            self._write(frame, samples, start=0)
            yield from filter(len, converter.convert(samples))
        if converter is not None:
            yield from filter(len, converter.rest())

    def _write(self, piece: Piece, out: Float32, *, start: int) -> None:
        """Write the samples of a piece from `start` on to `out`, (frames, channels), in the order of WAVE."""
        copy_samples(piece, out, start=start)
        if self._order is not None and isinstance(piece, AudioFrame) and out.shape[1] == len(self._order):
            out[:] = out[:, self._order]

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


def names_in_file(descriptor: int, channels: int) -> ChannelNames:
    """Return which channels a file says it has, in the order of its samples; none where it has another number."""
    try:
        with closing(LibavSource(descriptor)) as source:
            return source.names if len(source.names) == channels else ()
    except PermanentError:
        return ()


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


def _is_sound(layout: Layout) -> bool:
    """Return whether a layout is within bounds; that of a damaged frame need not be."""
    try:
        check_layout(rate_hz=layout.rate_hz, channels=layout.channels)
    except UnsupportedError:
        return False
    return True


def _declared_s(container: InputContainer, stream: AudioStream) -> float | None:
    """Return the seconds of sound a header promises; None where FFmpeg could only guess."""
    if not _GUESSED_LENGTH.isdisjoint(container.format.name.split(",")):
        return None
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and not container.streams.video:
        return container.duration / av.time_base
    return None


def _reason(error: Exception) -> str:
    """Return the message of an error as the end of a sentence."""
    return printable(in_a_sentence(str(getattr(error, "strerror", None) or error)))
