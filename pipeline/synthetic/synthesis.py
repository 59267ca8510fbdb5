"""Sounds made from formulas: sines, tones, plucked strings, chords, coloured noise, drums.

Every function returns mono samples, shape (n,), float64, full scale 1.0, with n = round(duration_s * sample_rate_hz).
What is random is drawn from the generator that is passed in, so equal generators give equal sounds.
"""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np

from pipeline.arrays import Float64

NOTE_FREQUENCIES_HZ = MappingProxyType(
    {"C4": 261.63, "D4": 293.66, "E4": 329.63, "F4": 349.23, "G4": 392.00, "A4": 440.00, "B4": 493.88}
)
"""The white keys from middle C upwards, equal temperament, A4 = 440 Hz."""

Drum = Literal["kick", "snare", "hat", "tom"]

SEMITONE = 2 ** (1 / 12)
"""Ratio of the frequencies of neighbouring keys."""


def frames(duration_s: float, sample_rate_hz: int) -> int:
    """Return the number of samples in a duration."""
    return round(duration_s * sample_rate_hz)


def time_axis(duration_s: float, sample_rate_hz: int) -> Float64:
    """Return the time of every sample, seconds, shape (n,)."""
    return np.arange(frames(duration_s, sample_rate_hz), dtype=np.float64) / sample_rate_hz


def sine(
    frequency_hz: float,
    duration_s: float,
    *,
    sample_rate_hz: int,
    amplitude: float = 1.0,
    phase_rad: float = 0.0,
) -> Float64:
    """Return y(t) = A sin(2 pi f t + phi), shape (n,)."""
    t = time_axis(duration_s, sample_rate_hz)
    return np.asarray(amplitude * np.sin(2 * np.pi * frequency_hz * t + phase_rad), dtype=np.float64)


def silence(duration_s: float, *, sample_rate_hz: int) -> Float64:
    """Return zeros, shape (n,)."""
    return np.zeros(frames(duration_s, sample_rate_hz))


def tone_sequence(
    frequencies_hz: Iterable[float],
    *,
    sample_rate_hz: int,
    tone_s: float = 1.0,
    pause_s: float = 1.0,
    amplitude: float = 0.5,
    phase_rad: float = 0.0,
) -> Float64:
    """Return one sine after the other, each followed by a pause, shape (n,)."""
    pause = silence(pause_s, sample_rate_hz=sample_rate_hz)
    parts = [
        part
        for f in frequencies_hz
        for part in (
            sine(f, tone_s, sample_rate_hz=sample_rate_hz, amplitude=amplitude, phase_rad=phase_rad),
            pause,
        )
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def adsr(
    duration_s: float,
    *,
    sample_rate_hz: int,
    attack_s: float = 0.01,
    decay_s: float = 0.1,
    sustain: float = 0.7,
    release_s: float = 0.1,
) -> Float64:
    """Return an envelope 0..1, shape (n,), of four straight lines.

    It goes up to 1 in `attack_s`, down to `sustain` in `decay_s`, and to 0 in the last `release_s`; the three times
    are shortened alike where the duration is less than their sum.
    """
    squeeze = min(1.0, duration_s / max(attack_s + decay_s + release_s, 1e-9))
    attack_end = attack_s * squeeze
    decay_end = attack_end + decay_s * squeeze
    corners = [0.0, attack_end, decay_end, duration_s - release_s * squeeze, duration_s]
    return np.interp(time_axis(duration_s, sample_rate_hz), corners, [0.0, 1.0, sustain, sustain, 0.0])


def additive(
    frequency_hz: float,
    duration_s: float,
    *,
    sample_rate_hz: int,
    partials: Sequence[float],
    vibrato_hz: float = 0.0,
    vibrato_cents: float = 0.0,
) -> Float64:
    """Return a sum of harmonics with the amplitudes `partials` (first: the fundamental), peak at most 1, shape (n,).

    Harmonics at or above half the sample rate are left out, so nothing aliases.
    """
    t = time_axis(duration_s, sample_rate_hz)
    bend = 2 ** (vibrato_cents / 1200 * np.sin(2 * np.pi * vibrato_hz * t))
    phase = 2 * np.pi * np.cumsum(frequency_hz * bend) / sample_rate_hz
    highest_hz = frequency_hz * float(bend.max(initial=1.0))
    audible = [(k, a) for k, a in enumerate(partials, start=1) if k * highest_hz < sample_rate_hz / 2]
    total = sum(abs(a) for _, a in audible)
    sound = np.zeros(len(t))
    for k, amplitude in audible:
        sound += amplitude * np.sin(k * phase)
    return sound / total if total else sound


def plucked(
    frequency_hz: float,
    duration_s: float,
    *,
    sample_rate_hz: int,
    decay_s: float = 0.8,
    brightness: float = 1.0,
    stiffness: float = 2e-4,
) -> Float64:
    """Return a plucked string, peak at most 1, shape (n,): harmonics that start together and die the sooner the higher.

    Partial k has amplitude k^(-2 / brightness), decays to 1/e in `decay_s` / sqrt(k), and is stretched by
    sqrt(1 + stiffness k^2) as on a real, slightly stiff string.
    """
    t = time_axis(duration_s, sample_rate_hz)
    sound = np.zeros(len(t))
    total = 0.0
    for k in range(1, 9):
        partial_hz = k * frequency_hz * np.sqrt(1 + stiffness * k * k)
        if partial_hz >= sample_rate_hz / 2:
            break
        amplitude = k ** (-2 / brightness)
        total += amplitude
        sound += amplitude * np.exp(-t * np.sqrt(k) / decay_s) * np.sin(2 * np.pi * partial_hz * t)
    return sound / total if total else sound


def coloured_noise(
    duration_s: float,
    *,
    sample_rate_hz: int,
    rng: np.random.Generator,
    exponent: float = 0.0,
    low_hz: float = 20.0,
    high_hz: float | None = None,
) -> Float64:
    """Return noise whose power falls as f^-exponent between two frequencies, peak 1, shape (n,).

    Exponent 0 is white, 1 pink, 2 brown, -1 blue. `high_hz` is half the sample rate when not given.
    """
    n = frames(duration_s, sample_rate_hz)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    f = np.fft.rfftfreq(n, 1 / sample_rate_hz)
    top_hz = sample_rate_hz / 2 if high_hz is None else high_hz
    shape = np.where((f >= low_hz) & (f <= top_hz), np.maximum(f, 1.0) ** (-exponent / 2), 0.0)
    return normalise(np.fft.irfft(spectrum * shape, n))


def drum(kind: Drum, *, sample_rate_hz: int, rng: np.random.Generator, pitch: float = 1.0) -> Float64:
    """Return one hit on a drum, peak 1, shape (n,); `pitch` scales its frequencies.

    A kick and a tom are sines that fall in pitch and die away, a snare is a short tone under noise, a hat is high
    noise.
    """
    length_s = {"kick": 0.28, "snare": 0.2, "hat": 0.07, "tom": 0.32}[kind]
    t = time_axis(length_s, sample_rate_hz)
    if kind == "hat":
        hiss = coloured_noise(length_s, sample_rate_hz=sample_rate_hz, rng=rng, low_hz=5_000 * pitch, exponent=-1)
        return normalise(hiss * np.exp(-t / 0.015))
    if kind == "snare":
        rattle = coloured_noise(length_s, sample_rate_hz=sample_rate_hz, rng=rng, low_hz=900 * pitch, exponent=0.3)
        body = np.sin(2 * np.pi * 185 * pitch * t) * np.exp(-t / 0.04)
        return normalise(0.7 * rattle * np.exp(-t / 0.05) + 0.6 * body)
    low_hz, sweep_hz, decay_s = (48.0, 130.0, 0.09) if kind == "kick" else (110.0, 60.0, 0.12)
    falling_hz = pitch * (low_hz + sweep_hz * np.exp(-t / 0.03))
    skin = np.sin(2 * np.pi * np.cumsum(falling_hz) / sample_rate_hz) * np.exp(-t / decay_s)
    # The stick: a few milliseconds of noise, without which the hit has no beginning.
    stick = rng.standard_normal(len(t)) * np.exp(-t / 0.003)
    return normalise(skin + 0.12 * stick)


def normalise(sound: Float64, *, peak: float = 1.0) -> Float64:
    """Return the sound scaled to a peak; silence stays silence."""
    largest = float(np.abs(sound).max(initial=0.0))
    return sound * (peak / largest) if largest else sound
