"""Augmentation of sound, piece by piece as it is decoded: memory follows the piece, whatever the length of the file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import soxr

from pipeline.arrays import Float32
from pipeline.audio.block import BLOCK_S, StreamInfo
from pipeline.errors import UnsupportedError
from pipeline.plans.augmentation import Variation

if TYPE_CHECKING:
    from av.filter import Graph

_NEUTRAL = 1e-6
"""Factors closer to 1 than this are inaudible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What has to be known of a sound before it is altered."""

    frames: int
    """Samples of each channel."""
    power: float
    """Mean square of all samples of all channels, full scale 1.0."""


def measure(pieces: Iterable[Float32]) -> Measurement:
    """Return length and power of pieces (n, channels)."""
    frames, samples, total = 0, 0, 0.0
    for piece in pieces:
        frames += len(piece)
        samples += piece.size
        flat = piece.ravel().astype(np.float64)
        total += float(flat @ flat)
    return Measurement(frames=frames, power=total / max(samples, 1))


def apply_variation(
    pieces: Iterable[Float32], info: StreamInfo, variation: Variation, *, measurement: Measurement, noise_key: str
) -> Iterator[Float32]:
    """Yield the altered sound, pieces (n, channels), float32; the same numbers however it is cut.

    `noise_key`, hex digits, seeds the noise. Raises `UnsupportedError` when FFmpeg cannot stretch so many channels.
    """
    pitch = 2 ** (variation.pitch_semitones / 12)
    # Resampled, sound is faster and higher; stretched afterwards, it has its tempo back.
    faster, shorter = variation.speed * pitch, variation.tempo / pitch
    if abs(faster - 1) > _NEUTRAL:
        pieces = _resample(pieces, info, faster)
    if abs(shorter - 1) > _NEUTRAL:
        pieces = _stretch(pieces, info, shorter)
    if variation.shift_s:
        half = int(measurement.frames / faster / shorter / 2)
        shift = max(-half, min(half, round(variation.shift_s * info.rate_hz)))
        pieces = _delay(pieces, info, shift) if shift > 0 else _advance(pieces, info, -shift)
    gain = 10 ** (variation.gain_db / 20)
    if variation.gain_db:
        pieces = (piece * np.float32(gain) for piece in pieces)
    if variation.snr_db is not None and measurement.power:
        level = gain * measurement.power**0.5 * 10 ** (-variation.snr_db / 20)
        pieces = _add_noise(pieces, level, seed=int(noise_key, 16))
    yield from pieces


def _resample(pieces: Iterable[Float32], info: StreamInfo, factor: float) -> Iterator[Float32]:
    """Yield the sound faster and higher by a factor, resampled by soxr HQ."""
    resampler = soxr.ResampleStream(info.rate_hz * factor, info.rate_hz, info.channels, dtype="float32", quality="HQ")
    for piece in pieces:
        yield resampler.resample_chunk(np.ascontiguousarray(piece))
    yield resampler.resample_chunk(np.empty((0, info.channels), np.float32), last=True)


def _stretch(pieces: Iterable[Float32], info: StreamInfo, factor: float) -> Iterator[Float32]:
    """Yield the sound faster by a factor at its pitch, by FFmpeg's `atempo` (overlap of similar waves)."""
    import av

    graph = av.filter.Graph()
    layout = {1: "mono", 2: "stereo"}.get(info.channels, f"{info.channels}c")
    try:
        chain = [
            graph.add_abuffer(
                sample_rate=info.rate_hz,
                format="flt",
                layout=layout,
                time_base=Fraction(1, info.rate_hz),
            ),
            *[graph.add("atempo", f"{step:.9f}") for step in _steps(factor)],
            graph.add("abuffersink"),
        ]
        for one, next_one in pairwise(chain):
            one.link_to(next_one)
        graph.configure()
    except (av.FFmpegError, ValueError) as error:
        raise UnsupportedError(f"FFmpeg cannot stretch {info.channels} channels at {info.rate_hz:,} Hz") from error
    place = 0
    # What `atempo` makes of the end depends on how large the frames were.
    for piece in _even_pieces(pieces, int(BLOCK_S * info.rate_hz)):
        packed = np.ascontiguousarray(piece, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = info.rate_hz, Fraction(1, info.rate_hz), place
        place += len(piece)
        graph.push(frame)
        yield from _ready_frames(graph, info.channels)
    graph.push(None)
    yield from _ready_frames(graph, info.channels)


def _even_pieces(pieces: Iterable[Float32], frames: int) -> Iterator[Float32]:
    """Yield the sound in pieces of so many frames, the last one shorter; none is empty."""
    held: list[Float32] = []
    count = 0
    for piece in pieces:
        rest = piece
        while count + len(rest) >= frames:
            yield np.concatenate([*held, rest[: frames - count]])
            rest = rest[frames - count :]
            held, count = [], 0
        if len(rest):
            held.append(np.array(rest))  # the decoder writes over it
            count += len(rest)
    if held:
        yield np.concatenate(held)


def _steps(factor: float) -> list[float]:
    """Return factors within what `atempo` takes in one step, whose product is the factor."""
    steps = []
    while factor < 0.5:
        steps.append(0.5)
        factor /= 0.5
    return [*steps, factor]


def _ready_frames(graph: "Graph", channels: int) -> Iterator[Float32]:
    """Yield what a filter graph has ready."""
    import av

    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        yield np.array(frame.to_ndarray().reshape(-1, channels), np.float32)


def _delay(pieces: Iterable[Float32], info: StreamInfo, frames: int) -> Iterator[Float32]:
    """Yield silence first, and the sound but for its end: as long as before."""
    held = np.zeros((frames, info.channels), np.float32)
    for piece in pieces:
        held = np.concatenate([held, piece])
        yield held[:-frames]
        held = held[-frames:]


def _advance(pieces: Iterable[Float32], info: StreamInfo, frames: int) -> Iterator[Float32]:
    """Yield the sound but for its beginning, and silence after it: as long as before."""
    left = frames
    for piece in pieces:
        dropped = min(left, len(piece))
        left -= dropped
        yield piece[dropped:]
    yield np.zeros((frames - left, info.channels), np.float32)


def _add_noise(pieces: Iterable[Float32], level: float, *, seed: int) -> Iterator[Float32]:
    """Yield the sound with white Gaussian noise of a level (root mean square)."""
    random = np.random.default_rng(seed)
    for piece in pieces:
        yield piece + np.float32(level) * random.standard_normal(piece.shape, np.float32)
