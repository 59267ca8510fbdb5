"""WAV, AIFF, FLAC, Ogg, MP3 and their kin by libsndfile, the fastest reader of each, straight into one buffer."""

import math
import os
import re

import numpy as np
import soundfile

from pipeline.arrays import Float32, Int16
from pipeline.audio.boundaries.links import id3_bytes
from pipeline.audio.boundaries.unread import NO_END_MARK
from pipeline.audio.channels import (
    ChannelNames,
    in_wave_order,
    mask_in_header,
    names_of_mask,
    vorbis_names,
    wave_permutation,
)
from pipeline.audio.decoders.base import (
    ENDS_EARLY,
    Findings,
    Layout,
    UnknownFormatError,
    check_layout,
    in_a_sentence,
)
from pipeline.audio.decoders.stderr import StderrCapture
from pipeline.errors import UnreadableError

_INT16_STEP = np.float32(2**-15)
# libsndfile's log of a header that promises more bytes than the file has: `data : 1764000 (should be 881978)`.
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
# libsndfile counts the frames of MPEG audio, mpg123 then leaves out what the encoder padded.
_MPEG_SLACK_S = 0.1
# libsndfile's number for a header without one is 2**63 - 1.
_UNKNOWN_FRAMES = 2**62
# Samples of one size, whose place is found by counting; libsndfile gets lost in packets such as those of GSM 06.10.
_COUNTED = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_EXACT = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"})
_NO_END = "Last page lacks an end-of-stream bit"
# Left and right need no names, but for a mask that says they are others.
_SIDES = 2
_MASKED = frozenset({"WAVEX", "RF64", "W64", "FLAC"})
_HEADER_BYTES = 16_384
_VORBIS_KIN = frozenset({"VORBIS", "OPUS"})
_OPUS_HEAD = b"OpusHead"
# What a recorder writes for "length not known yet".
_OPEN_LENGTH_BYTES = 0x7FFF_0000
# libsndfile's code for "no format matches" and its misleading message for a file that only looks like MP3.
_UNRECOGNISED = ("Format not recognised", "File does not exist or is not a regular file", "unimplemented format")


class _Sound(soundfile.SoundFile):  # type: ignore[misc] # soundfile has no types
    """A sound file that is read in one go."""

    def seekable(self) -> bool:
        """Say no: soundfile would seek to where it is after every read, which a damaged FLAC answers with an error."""
        return False

    def position(self) -> int:
        """Return how many frames were read, whatever the last read ended in; 0 where libsndfile cannot say."""
        try:
            return int(self.seek(0, soundfile.SEEK_CUR))
        except soundfile.LibsndfileError:
            return 0


class LibsndfileSource:
    """An open descriptor as libsndfile reads it; raises `UnreadableError`, `UnsupportedError`."""

    def __init__(self, descriptor: int) -> None:
        self._stderr = StderrCapture()
        self._descriptor = descriptor
        self._fault = ""
        self._read = 0
        try:
            # By descriptor: soundfile's own opening cannot encode names with undecodable bytes.
            with self._stderr.redirect():
                self._sound = _Sound(descriptor, closefd=False)
        except soundfile.LibsndfileError as error:
            self._stderr.close()
            os.pread(descriptor, 1, 0)  # raises the error of the system, if that was the cause
            if any(sign in str(error.error_string) for sign in _UNRECOGNISED):
                raise UnknownFormatError(str(error.error_string)) from error
            raise UnreadableError(_reason(error)) from error
        rate_hz, channels = int(self._sound.samplerate), int(self._sound.channels)
        self.format = str(self._sound.format)
        """libsndfile's name of the container: `WAV`, `FLAC`, `OGG`, `MP3`."""
        self._is_plain = self._sound.subtype == "PCM_16" and self.format != "FLAC"
        self._samples: Int16 | None = None
        try:
            check_layout(rate_hz=rate_hz, channels=channels)
            names = self._names(channels)
        except BaseException:
            self.close()
            raise
        self._order = wave_permutation(names)
        self.layout = Layout(rate_hz=rate_hz, channels=channels, names=in_wave_order(names))

    def read_into(self, block: Float32) -> int:
        """Fill a block; a fault of libsndfile's ends the sound where it was met."""
        if self._fault:
            return 0
        try:
            with self._stderr.redirect():
                count = self._read_floats(block)
        except soundfile.LibsndfileError as error:
            self._fault = _reason(error)
            count = max(0, self._sound.position() - self._read)
        if count < len(block):
            # A read that the system refused looks like the end: ask it again, where its error is raised.
            os.pread(self._descriptor, 1, os.lseek(self._descriptor, 0, os.SEEK_CUR))
        self._read += count
        if self._order is not None:
            block[:count] = block[:count, self._order]
        return count

    def seek(self, frame: int) -> bool:
        """Go to a frame of a format in which that is exact."""
        is_exact = self.format in _EXACT and str(self._sound.subtype).startswith(_COUNTED)
        if self._fault or not is_exact or frame >= self._sound.frames:
            return False
        with self._stderr.redirect():
            try:
                reached = int(self._sound.seek(frame))
            except soundfile.LibsndfileError:
                reached = -1
            if reached == frame:
                self._read = frame
                return True
            try:
                self._sound.seek(self._read)  # a damaged FLAC: it is decoded as far as that goes
            except soundfile.LibsndfileError as error:
                self._fault = _reason(error)
        return False

    def _read_floats(self, block: Float32) -> int:
        """Let libsndfile fill a block; plain 16-bit samples are scaled here, five times as fast as there."""
        if not self._is_plain:
            return int(self._sound.buffer_read_into(block, "float32"))
        if self._samples is None or len(self._samples) < len(block):
            self._samples = np.empty(block.shape, np.int16)
        samples = self._samples[: len(block)]
        try:
            return int(self._sound.buffer_read_into(samples, "int16"))
        finally:
            np.multiply(samples, _INT16_STEP, out=block)

    @property
    def frames(self) -> int:
        """Frames read so far."""
        return self._read

    def findings(self, frames: int) -> Findings:
        """Return how far a file that is cut short or damaged could be read, and what mpg123 printed."""
        declared = self._sound.frames
        if declared > _UNKNOWN_FRAMES:
            return Findings(reasons=(self._fault, self._stderr.describe()))
        declared_s = declared / self.layout.rate_hz
        if frames / self.layout.rate_hz < declared_s - self._slack_s():
            reasons = (self._fault or ENDS_EARLY, self._stderr.describe())
            return Findings(declared_s=declared_s, is_short=True, reasons=reasons)
        there, promised = self._bytes_of_sound()
        if there < promised:  # libsndfile has changed its number of frames to what is there
            reasons = (f"the file has {there:,} of {promised:,} bytes of sound", self._stderr.describe())
            return Findings(declared_s=declared_s * promised / max(there, 1), is_short=True, reasons=reasons)
        # A fault behind all that was declared is one of the tags there.
        no_end = NO_END_MARK if _NO_END in self._sound.extra_info else ""
        return Findings(declared_s=declared_s, reasons=(no_end, self._stderr.describe()))

    def close(self) -> None:
        """Free libsndfile's state."""
        with self._stderr.redirect():
            self._sound.close()
        self._stderr.close()

    def _names(self, channels: int) -> ChannelNames:
        """Return which channels the file has, in the order in which libsndfile hands them on."""
        if channels < _SIDES:
            return ()
        if channels == _SIDES:
            header = os.pread(self._descriptor, _HEADER_BYTES, 0) if self.format in _MASKED else b""
            return names_of_mask(mask_in_header(header), channels)
        if self._sound.subtype in _VORBIS_KIN:
            return vorbis_names(channels) if has_vorbis_order(self._descriptor) else ()
        # libsndfile knows fewer forms of their tables, and of AIFF makes up numbers.
        from pipeline.audio.decoders.libav import names_in_file

        return names_in_file(self._descriptor, channels)

    def _bytes_of_sound(self) -> tuple[int, int]:
        """Return how many bytes of sound there are, and how many the header promises, where libsndfile logged both."""
        cut = _CUT_SHORT.search(self._sound.extra_info)
        there, promised = (int(cut[2]), int(cut[1])) if cut else (0, 0)
        return (there, promised) if promised < _OPEN_LENGTH_BYTES else (0, 0)

    def _slack_s(self) -> float:
        """Return by how many seconds the declared length may be wrong in a whole file."""
        if self.format != "MP3":
            return 0.0
        return _MPEG_SLACK_S if counts_frames(self._descriptor) else math.inf


def has_vorbis_order(descriptor: int) -> bool:
    """Return whether a file of Vorbis or Opus says which channels it has: Opus may leave it open, or be Ambisonics."""
    head = os.pread(descriptor, 65_536, 0)
    at = head.find(_OPUS_HEAD)
    # RFC 7845: the mapping family is the last byte of the first 19 of the header.
    return at < 0 or head[at + 18 : at + 19] == b"\x01"


def counts_frames(descriptor: int) -> bool:
    """Return whether the first frame of MPEG audio, behind an ID3v2 tag, says how many there are."""
    frame = os.pread(descriptor, 4096, id3_bytes(os.pread(descriptor, 10, 0)))
    return any(sign in frame for sign in (b"Xing", b"Info", b"VBRI"))


def _reason(error: soundfile.LibsndfileError) -> str:
    """Return libsndfile's reason as the end of a sentence."""
    return in_a_sentence(str(error.error_string).removeprefix("Error :"))
