"""The four kinds of sound in the demo library: single tones, chords, drum loops and noise.

Each maker draws its key, tempo, timbre and length from the generator it is given. Now and then it makes a borderline
case (`borderline`): a two-note "chord", a tone with a beat, drums that ring, noise that hums. Real collections
have those, and a classifier that scores 100 % on a demo teaches nobody to read a report.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline.arrays import Float64
from pipeline.synthetic.synthesis import (
    NOTE_FREQUENCIES_HZ,
    SEMITONE,
    Drum,
    additive,
    adsr,
    coloured_noise,
    drum,
    frames,
    normalise,
    plucked,
    silence,
    sine,
)

_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 7, 10), (0, 5, 7), (0, 4, 7, 11, 14))
"""Semitones above the root: major, minor, seventh, minor seventh, suspended, major ninth."""
_GROOVES: tuple[dict[Drum, tuple[int, ...]], ...] = (
    {"kick": (0, 8), "snare": (4, 12), "hat": (0, 2, 4, 6, 8, 10, 12, 14)},
    {"kick": (0, 4, 8, 12), "snare": (4, 12), "hat": (2, 6, 10, 14)},
    {"kick": (0, 3, 10), "snare": (4, 12), "hat": tuple(range(16))},
    {"kick": (0, 7, 10), "snare": (8,), "hat": (0, 3, 6, 9, 12, 15)},
    {"kick": (0, 6), "tom": (3, 11, 14), "hat": (4, 12)},
)
"""Which sixteenths of a bar are struck."""
_ODD_GROOVES: tuple[dict[Drum, tuple[int, ...]], ...] = (
    {"tom": (0, 3, 6, 8, 11, 14)},
    {"hat": tuple(range(16))},
)
"""Borderline: toms alone, nearly a melody, and hats alone, nearly noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundPlan:
    """The parameters of one file, for every maker."""

    duration_s: float
    sample_rate_hz: int
    rng: np.random.Generator
    borderline: bool


def tones(plan: SoundPlan) -> Float64:
    """Return one voice playing one note after the other, shape (n,). Borderline: a tremolo as fast as a drum loop."""
    rng, rate_hz = plan.rng, plan.sample_rate_hz
    voice = rng.integers(4)
    note_s = float(rng.choice([0.25, 0.4, 0.6, 1.2]))
    parts: list[Float64] = []
    for _ in range(int(np.ceil(plan.duration_s / note_s))):
        f = _note_hz(rng)
        shape = adsr(note_s, sample_rate_hz=rate_hz, attack_s=rng.uniform(0.005, 0.08), release_s=note_s / 4)
        if voice == 0:
            sound = sine(f, note_s, sample_rate_hz=rate_hz, phase_rad=rng.uniform(0, 2 * np.pi)) * shape
        elif voice == 1:
            sound = plucked(f, note_s, sample_rate_hz=rate_hz, brightness=rng.uniform(0.8, 2.5), decay_s=note_s / 2)
        else:
            sound = shape * additive(
                f,
                note_s,
                sample_rate_hz=rate_hz,
                partials=_partials(rng),
                vibrato_hz=rng.uniform(4, 7),
                vibrato_cents=rng.choice([0.0, 15.0, 40.0]),
            )
        parts.append(sound)
    melody = np.concatenate(parts)[: frames(plan.duration_s, rate_hz)]
    if plan.borderline:
        beat_hz = rng.uniform(6, 10)
        melody = melody * (sine(beat_hz, len(melody) / rate_hz, sample_rate_hz=rate_hz) > 0)
    return melody


def chords(plan: SoundPlan) -> Float64:
    """Return strummed chords, shape (n,). Borderline: two slightly detuned notes, easily taken for one tone."""
    rng, rate_hz = plan.rng, plan.sample_rate_hz
    chord_s = float(rng.choice([1.0, 2.0, plan.duration_s]))
    bed = _segment(silence(plan.duration_s, sample_rate_hz=rate_hz), rate_hz)
    is_plucked = bool(rng.integers(2))
    partials = _partials(rng)
    strum_ms = rng.uniform(0, 45)
    for bar in range(int(np.ceil(plan.duration_s / chord_s))):
        root_hz = _note_hz(rng, octaves=(-1, 0))
        steps = (0, int(rng.choice([7, 12]))) if plan.borderline else _CHORDS[rng.integers(len(_CHORDS))]
        for place, step in enumerate(steps):
            f = root_hz * SEMITONE ** (step + rng.normal(0, 0.05))
            if is_plucked:
                voice = plucked(f, chord_s, sample_rate_hz=rate_hz, decay_s=chord_s / 2, brightness=1.6)
            else:
                voice = additive(f, chord_s, sample_rate_hz=rate_hz, partials=partials)
                voice = voice * adsr(chord_s, sample_rate_hz=rate_hz, attack_s=0.03, release_s=chord_s / 4)
            # Each voice gets its share of full scale: overlaying adds 16-bit samples and would clip.
            struck = _segment(voice * (0.95 / len(steps)), rate_hz).fade_out(30)
            bed = bed.overlay(struck, position=int(1000 * bar * chord_s + place * strum_ms))
    return _samples(bed)


def drum_loops(plan: SoundPlan) -> Float64:
    """Return one bar of drums, repeated, shape (n,). Borderline: toms alone or hats alone."""
    rng, rate_hz = plan.rng, plan.sample_rate_hz
    grooves = _ODD_GROOVES if plan.borderline else _GROOVES
    groove = grooves[rng.integers(len(grooves))]
    sixteenth_ms = 60_000 / rng.uniform(78, 160) / 4
    swing = rng.choice([0.0, 0.0, 0.25])
    bar = _segment(silence(16 * sixteenth_ms / 1000, sample_rate_hz=rate_hz), rate_hz)
    loudness = {"kick": 0.5, "snare": 0.35, "hat": 0.15, "tom": 0.4}
    for kind, places in groove.items():
        pitch = rng.uniform(0.8, 1.3)
        for place in places:
            hit = drum(kind, sample_rate_hz=rate_hz, rng=rng, pitch=pitch) * loudness[kind] * rng.uniform(0.6, 1.0)
            late = swing * (place % 2)
            bar = bar.overlay(_segment(hit, rate_hz), position=int((place + late) * sixteenth_ms))
    repeats = int(np.ceil(1000 * plan.duration_s / max(len(bar), 1)))
    return _samples((bar * repeats)[: int(1000 * plan.duration_s)])


def noise(plan: SoundPlan) -> Float64:
    """Return steady or swelling noise of some colour, shape (n,). Borderline: a band so narrow that it hums a note."""
    rng, rate_hz = plan.rng, plan.sample_rate_hz
    low_hz, high_hz = 20.0, rate_hz / 2
    if plan.borderline:
        low_hz = _note_hz(rng)
        high_hz = low_hz * SEMITONE ** rng.uniform(0.3, 1.0)
    elif rng.random() < 0.3:
        low_hz = rng.uniform(100, 1_500)
        high_hz = low_hz * rng.uniform(3, 8)
    hiss = coloured_noise(
        plan.duration_s,
        sample_rate_hz=rate_hz,
        rng=rng,
        exponent=rng.choice([-1.0, 0.0, 1.0, 2.0]),
        low_hz=low_hz,
        high_hz=high_hz,
    )
    if rng.random() < 0.5:
        swell = sine(rng.uniform(0.1, 3.0), plan.duration_s, sample_rate_hz=rate_hz, phase_rad=rng.uniform(0, 6))
        hiss = hiss * (1 + rng.uniform(0.3, 0.9) * swell)
    return hiss


MAKERS: MappingProxyType[str, Callable[[SoundPlan], Float64]] = MappingProxyType(
    {"chords": chords, "drum loops": drum_loops, "noise": noise, "tones": tones}
)
"""The classes of the demo library, and what makes their sounds."""


def record(sound: Float64, plan: SoundPlan, *, channels: int) -> Float64:
    """Return the sound as if recorded: a level, fades, a little noise, a place between two channels; (n, channels).

    The peak lies between -24 and -1 dBFS and the noise 46 to 58 dB below it, whatever the class: neither depends on it.
    """
    rng, rate_hz = plan.rng, plan.sample_rate_hz
    segment = _segment(normalise(sound, peak=0.98), rate_hz)
    if rng.random() < 0.6:
        segment = segment.fade_in(int(rng.uniform(5, 600))).fade_out(int(rng.uniform(50, 1_200)))
    level = 10 ** (rng.uniform(-24, -1) / 20)
    mono = normalise(_samples(segment), peak=level)
    angle = np.pi / 4 if channels == 1 else rng.uniform(0.15, np.pi / 2 - 0.15)
    gains = [1.0] if channels == 1 else [np.cos(angle), np.sin(angle)]
    floor = level * 10 ** (rng.uniform(-58, -46) / 20)
    recorded = mono[:, np.newaxis] * np.asarray(gains) + floor * rng.standard_normal((len(mono), channels))
    return np.asarray(np.clip(recorded, -1.0, 1.0))


def _note_hz(rng: np.random.Generator, octaves: tuple[int, ...] = (-1, 0, 0, 1)) -> float:
    """Return the frequency of a random key, up to 30 cents out of tune."""
    key = rng.choice(list(NOTE_FREQUENCIES_HZ.values()))
    return float(key * 2.0 ** rng.choice(octaves) * SEMITONE ** rng.uniform(-0.3, 0.3))


def _partials(rng: np.random.Generator) -> list[float]:
    """Return the harmonics of a random timbre: anything between a flute, a clarinet and a saw-tooth."""
    fall = rng.uniform(0.9, 2.2)
    even = rng.choice([0.1, 1.0])
    return [float(k**-fall * (even if k % 2 == 0 else 1.0)) for k in range(1, 13)]


def _segment(sound: Float64, sample_rate_hz: int) -> Any:
    """Return mono samples as a pydub segment of 16 bits, which can be cut, faded, repeated and overlaid."""
    pcm = np.round(np.clip(sound, -1.0, 1.0) * 32_767).astype("<i2")
    return _pydub().AudioSegment(data=pcm.tobytes(), sample_width=2, frame_rate=sample_rate_hz, channels=1)


def _samples(segment: Any) -> Float64:
    """Return a mono 16-bit pydub segment as samples, shape (n,)."""
    return np.frombuffer(segment.raw_data, dtype="<i2").astype(np.float64) / 32_768


def _pydub() -> Any:
    """Return pydub. Segments made from raw samples need no ffmpeg, so its warning about that does not matter here.

    The other warnings are about pydub's own code: `audioop`, which Python 3.13 dropped (audioop-lts replaces it), and
    invalid escapes in its regular expressions, warned of when it is compiled for the first time.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Couldn't find ff", RuntimeWarning)
        warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
        warnings.filterwarnings("ignore", "invalid escape sequence", DeprecationWarning)
        warnings.filterwarnings("ignore", "invalid escape sequence", SyntaxWarning)
        import pydub  # only the demo library needs it
    return pydub
