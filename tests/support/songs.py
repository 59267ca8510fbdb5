"""Made music that is different for every seed, and copies of it: encoded, trimmed, made louder."""

import io
from pathlib import Path

import av
import numpy as np
import soundfile

from pipeline.synthetic.synthesis import additive, drum, frames, normalise, plucked

RATE_HZ = 44_100
_SCALES = ([0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10])

LOSSY = {
    "mp3": ("mp3", "libmp3lame", 44_100),
    "m4a": ("ipod", "aac", 44_100),
    "opus": ("ogg", "libopus", 48_000),
}
"""By the end of a name: FFmpeg's format, codec and the rate in Hz."""


def song(seed: int, duration_s: float = 20.0) -> np.ndarray:
    """Return chords, a melody and mostly drums in a key and at a speed of its own, (n, 2), float32."""
    rng = np.random.default_rng(seed)
    length = frames(duration_s, RATE_HZ)
    sound = np.zeros((length + 4 * RATE_HZ, 2))
    beat_s = 60 / rng.uniform(70, 160)
    steps = np.array(_SCALES[rng.integers(2)])
    notes = rng.uniform(110, 440) * 2 ** (np.concatenate([steps - 12, steps, steps + 12]) / 12)
    chords, pattern, has_drums = rng.integers(0, 7, 4), rng.random(8) < 0.6, rng.random() < 0.6
    partials = rng.random(5) * [1, 0.7, 0.5, 0.4, 0.3]

    def add(part: np.ndarray, at_s: float, pan: float, gain: float) -> None:
        begin = frames(at_s, RATE_HZ)
        part = part[: len(sound) - begin]
        sound[begin : begin + len(part)] += gain * part[:, np.newaxis] * [1 - pan, pan]

    for beat in range(int(duration_s / beat_s)):
        at_s = beat * beat_s
        if beat % 4 == 0:
            for step in (0, 2, 4):
                note_hz = notes[7 + (chords[(beat // 4) % 4] + step) % 7]
                add(additive(note_hz, 3.8 * beat_s, sample_rate_hz=RATE_HZ, partials=partials), at_s, rng.random(), 0.3)
        if pattern[beat % 8]:
            add(plucked(notes[rng.integers(21)], 1.0, sample_rate_hz=RATE_HZ), at_s, 0.3, 0.6)
        if has_drums:
            add(drum("snare" if beat % 2 else "kick", sample_rate_hz=RATE_HZ, rng=rng), at_s, 0.5, 0.7)
            add(drum("hat", sample_rate_hz=RATE_HZ, rng=rng), at_s + beat_s / 2, 0.6, 0.3)
    return normalise(sound[:length], peak=rng.uniform(0.3, 0.95)).astype(np.float32)


def write(path: Path, samples: np.ndarray, *, bit_rate: int = 128_000) -> Path:
    """Write samples (n, 2) at 44.1 kHz in the form of a path's name, and return the path."""
    kind = path.suffix.removeprefix(".")
    if kind in LOSSY:
        path.write_bytes(_lossy(samples, *LOSSY[kind], bit_rate))
        return path
    with soundfile.SoundFile(path, "w", samplerate=RATE_HZ, channels=samples.shape[1]) as file:
        # libsndfile's Vorbis encoder puts a whole write on the stack and dies of a minute.
        for begin in range(0, len(samples), RATE_HZ):
            file.write(samples[begin : begin + RATE_HZ])
    return path


def _lossy(samples: np.ndarray, form: str, codec: str, rate_hz: int, bit_rate: int) -> bytes:
    layout = "stereo" if samples.shape[1] == 2 else "mono"
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate_hz)
        stream.layout, stream.bit_rate = layout, bit_rate
        stream.codec_context.open()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout=layout)
        frame.sample_rate = RATE_HZ
        resampler = av.AudioResampler(
            format=stream.format, layout=layout, rate=rate_hz, frame_size=stream.codec_context.frame_size or None
        )
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return file.getvalue()
