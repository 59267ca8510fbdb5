"""Sound files to samples: libsndfile in bounded steps, every way a file can be bad as one line that says so."""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import soundfile

from pipeline.arrays import Float32
from pipeline.audio import Audio
from pipeline.errors import EmptyAudioError, TooLargeError, UnreadableError, UnsupportedError
from pipeline.opening import opened
from pipeline.tracks import printable

MIN_RATE_HZ = 1_000
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 127
"""The store keeps the channel of a row as a signed byte."""
MAX_SAMPLE = 1e9
"""180 dB over full scale: beyond it squares no longer fit the store's 32-bit floats, and nothing is sound."""

_STEP_FRAMES = 65_536

# libsndfile's log of a header that promises more bytes than the file has: `data : 1764000 (should be 881978)`.
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_NO_END = "Last page lacks an end-of-stream bit"
# What a recorder writes for "length not known yet".
_OPEN_LENGTH_BYTES = 0x7FFF_0000
# mpg123, inside libsndfile, prints its findings itself.
_DECODER_CHATTER = re.compile(r"^(?:\[src/libmpg123/|Note: |Warning: )")
# libsndfile's code for "no format matches" and its misleading message for a file that only looks like MP3.
_UNRECOGNISED = ("Format not recognised", "File does not exist or is not a regular file", "unimplemented format")

_stderr_lock = threading.Lock()


def decode(path: str, *, max_duration_s: float) -> Audio:
    """Return the samples of a sound file, float32, at its own rate and with all its channels.

    A truncated or damaged file is decoded as far as it goes, and `Audio.note` says how far. Memory follows what is
    really decoded, never what a header promises. Raises `MissingError`, `UnreadableError` (not sound, no permission),
    `EmptyAudioError`, `TooLargeError` (past `max_duration_s` seconds), `UnsupportedError` (NaN or infinite samples,
    rate or channel count out of bounds), each with one line that names the file and the reason.
    """
    shown = printable(path)
    with opened(path) as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise EmptyAudioError(f"{shown}: the file has 0 bytes")
        with _decoder_chatter() as chatter:
            audio = _read(file.fileno(), shown, max_duration_s)
    _check_samples(audio.samples, shown)
    if not chatter:
        return audio
    more = f" (and {len(chatter) - 1} more)" if len(chatter) > 1 else ""
    told = f"the decoder says: {printable(chatter[0])}{more}"
    return Audio(
        samples=audio.samples,
        sample_rate_hz=audio.sample_rate_hz,
        note="; ".join(filter(None, (audio.note, told))),
    )


def _read(descriptor: int, shown: str, max_duration_s: float) -> Audio:
    """Return what libsndfile makes of an open file."""
    try:
        # By descriptor: soundfile's own opening cannot encode names with undecodable bytes.
        sound = soundfile.SoundFile(descriptor, closefd=False)
    except soundfile.LibsndfileError as error:
        raise UnreadableError(f"{shown}: {_reason(error)}") from error
    with sound:
        rate_hz, channels = int(sound.samplerate), int(sound.channels)
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise UnsupportedError(
                f"{shown}: a sample rate of {rate_hz:,} Hz; {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} are read"
            )
        if not 1 <= channels <= MAX_CHANNELS:
            raise UnsupportedError(f"{shown}: {channels} channels; at most {MAX_CHANNELS} are read")
        try:
            samples, fault = _read_samples(sound, max_frames=int(max_duration_s * rate_hz))
        except (_BeyondBoundError, MemoryError) as error:
            reason = f"longer than the bound of {max_duration_s:,.0f} s"
            if isinstance(error, MemoryError):
                reason = "its samples do not fit in memory"
            raise TooLargeError(f"{shown}: {reason}") from error
        if not len(samples):
            raise EmptyAudioError(f"{shown}: {f'no samples ({fault})' if fault else 'a header and no samples'}")
        note = _note(sound, decoded_s=len(samples) / rate_hz, decoded_frames=len(samples), fault=fault)
        return Audio(samples=samples, sample_rate_hz=rate_hz, note=note)


class _BeyondBoundError(Exception):
    """More frames than the owner allows."""


def _read_samples(sound: soundfile.SoundFile, *, max_frames: int) -> tuple[Float32, str]:
    """Return all frames that decode, (frames, channels), and the fault that ended them, empty at a proper end."""
    samples = np.empty((_STEP_FRAMES, sound.channels), np.float32)
    filled, fault = 0, ""
    while not fault:
        if len(samples) - filled < _STEP_FRAMES:
            # A quarter more each time: few moves, and no more memory than the sound needs.
            grown = len(samples) + max(_STEP_FRAMES, len(samples) // 4)
            samples.resize((grown, sound.channels), refcheck=False)
        step = samples[filled : filled + _STEP_FRAMES]
        step.fill(np.nan)
        try:
            count = len(sound.read(out=step))
        except soundfile.LibsndfileError as error:
            # The frames before the damage are there, and only the NaN behind them tell how many: libsndfile's
            # position is wrong when it is its seeking that failed.
            count = _STEP_FRAMES - int(np.isnan(step[::-1, 0]).argmin()) if not np.isnan(step[:, 0]).all() else 0
            fault = _reason(error)
        del step  # the next resize moves what it looks at
        if not count:
            break
        filled += count
        if filled > max_frames:
            raise _BeyondBoundError
    samples.resize((filled, sound.channels), refcheck=False)
    return samples, fault


def _note(sound: soundfile.SoundFile, *, decoded_s: float, decoded_frames: int, fault: str) -> str:
    """Return how far a file that is cut short or damaged could be read; empty for a whole one."""
    log = sound.extra_info
    missing = sound.frames - decoded_frames
    if missing > 0 or fault:
        told = f"decoded {decoded_s:.2f} s of {sound.frames / sound.samplerate:.2f} s"
        return f"{told}: {fault}" if fault else f"{told}: the data ends early"
    if (cut := _CUT_SHORT.search(log)) and int(cut[1]) < _OPEN_LENGTH_BYTES:
        return f"decoded {decoded_s:.2f} s: the file has {int(cut[2]):,} of {int(cut[1]):,} bytes of sound"
    if _NO_END in log:
        return f"decoded {decoded_s:.2f} s: the stream has no end mark"
    return ""


def _reason(error: soundfile.LibsndfileError) -> str:
    """Return libsndfile's reason as the end of a sentence."""
    told = str(error.error_string).strip().rstrip(".")
    if any(sign in told for sign in _UNRECOGNISED):
        return "not a sound file that libsndfile knows"
    told = told.removeprefix("Error :").strip()
    return f"{told[:1].lower()}{told[1:]}" if told[1:2].islower() else told


def _check_samples(samples: Float32, shown: str) -> None:
    """Refuse samples that would poison every sum they enter."""
    low, high = float(samples.min()), float(samples.max())  # NaN wins in both
    if max(-low, high) <= MAX_SAMPLE:
        return
    bad = ~np.isfinite(samples)
    if not bad.any():
        raise UnsupportedError(f"{shown}: samples reach {max(-low, high):.1e} times full scale; not sound")
    frame, channel = (int(i) for i in np.argwhere(bad)[0])
    raise UnsupportedError(
        f"{shown}: {int(bad.sum()):,} of {samples.size:,} samples are NaN or infinite, "
        f"the first at frame {frame:,} of channel {channel}"
    )


@contextmanager
def _decoder_chatter() -> Iterator[list[str]]:
    """Keep what mpg123 prints to the process's standard error in a list; pass on all else.

    The lock keeps two threads from restoring each other's redirection.
    """
    lines: list[str] = []
    with _stderr_lock, tempfile.TemporaryFile() as caught:
        try:
            kept = os.dup(2)
        except OSError:  # a process without standard error has nothing to keep clean
            yield lines
            return
        os.dup2(caught.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught:
                told = line.decode("utf-8", "replace").strip()
                if _DECODER_CHATTER.match(told):
                    lines.append(told)
                elif told:
                    os.write(2, line)
