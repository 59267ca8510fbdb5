"""Sounds from formulas, measured."""

import numpy as np
import pytest

from pipeline.synthetic import synthesis

RATE_HZ = 22_050


def spectrum_peak_hz(sound, rate_hz=RATE_HZ):
    """Return the frequency of the largest line of the spectrum."""
    return np.argmax(np.abs(np.fft.rfft(sound))) * rate_hz / len(sound)


def test_a_sine_follows_its_formula():
    y = synthesis.sine(440.0, 0.5, sample_rate_hz=RATE_HZ, amplitude=0.25, phase_rad=1.2)

    t = np.arange(11_025) / RATE_HZ
    np.testing.assert_allclose(y, 0.25 * np.sin(2 * np.pi * 440.0 * t + 1.2), atol=1e-12)


def test_the_notes_are_the_white_keys_from_middle_c():
    semitones_from_a4 = {"C4": -9, "D4": -7, "E4": -5, "F4": -4, "G4": -2, "A4": 0, "B4": 2}

    assert list(synthesis.NOTE_FREQUENCIES_HZ) == list(semitones_from_a4)
    for note, frequency_hz in synthesis.NOTE_FREQUENCIES_HZ.items():
        assert frequency_hz == pytest.approx(440 * 2 ** (semitones_from_a4[note] / 12), abs=0.005)


def test_a_tone_sequence_alternates_tones_and_pauses():
    y = synthesis.tone_sequence([500, 1_000], sample_rate_hz=8_000, tone_s=1.0, pause_s=0.5)

    assert len(y) == 24_000
    assert spectrum_peak_hz(y[:8_000], 8_000) == 500
    assert not y[8_000:12_000].any()
    assert spectrum_peak_hz(y[12_000:20_000], 8_000) == 1_000
    assert not y[20_000:].any()


def test_no_tones_make_no_samples():
    assert len(synthesis.tone_sequence([], sample_rate_hz=8_000)) == 0


@pytest.mark.parametrize("duration_s", [0.05, 0.2, 3.0])
def test_an_envelope_rises_from_nothing_and_returns_to_it(duration_s):
    shape = synthesis.adsr(duration_s, sample_rate_hz=RATE_HZ, attack_s=0.05, decay_s=0.05, sustain=0.6, release_s=0.1)

    assert shape[0] == 0
    assert shape[-1] < 0.02
    assert 0.9 < shape.max() <= 1.0
    assert shape.min() >= 0


def test_harmonics_above_half_the_rate_are_left_out():
    y = synthesis.additive(3_000, 1.0, sample_rate_hz=8_000, partials=[1.0, 1.0, 1.0])

    lines = np.abs(np.fft.rfft(y))
    assert np.argmax(lines) == 3_000
    assert lines.sum() - lines[3_000] < 1e-6 * lines[3_000]


def test_a_tone_above_half_the_rate_is_silence():
    assert not synthesis.additive(5_000, 0.1, sample_rate_hz=8_000, partials=[1.0]).any()


def test_vibrato_moves_the_pitch_as_far_as_given():
    y = synthesis.additive(440, 2.0, sample_rate_hz=RATE_HZ, partials=[1.0], vibrato_hz=5, vibrato_cents=40)

    lines = np.abs(np.fft.rfft(y))
    f = np.fft.rfftfreq(len(y), 1 / RATE_HZ)
    within = (f > 440 * 2 ** (-80 / 1200)) & (f < 440 * 2 ** (80 / 1200))
    assert (lines[within] ** 2).sum() > 0.99 * (lines**2).sum()
    assert lines[np.abs(f - 440) > 4].max() > 0.1 * lines.max()


def test_a_plucked_string_sounds_its_note_and_dies_away():
    y = synthesis.plucked(220, 2.0, sample_rate_hz=RATE_HZ, decay_s=0.4)

    assert spectrum_peak_hz(y) == pytest.approx(220, abs=1)
    quarter = len(y) // 4
    assert np.abs(y[-quarter:]).max() < 0.1 * np.abs(y[:quarter]).max()
    assert np.abs(y).max() <= 1.0


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 1.0, 2.0])
def test_noise_falls_as_its_colour_says(exponent):
    y = synthesis.coloured_noise(20.0, sample_rate_hz=RATE_HZ, rng=np.random.default_rng(3), exponent=exponent)

    power = np.abs(np.fft.rfft(y)) ** 2
    f = np.fft.rfftfreq(len(y), 1 / RATE_HZ)
    octaves = [power[(f >= low) & (f < 2 * low)].mean() for low in (100, 200, 400, 800, 1_600, 3_200)]
    slope = np.polyfit(np.arange(6), np.log2(octaves), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.05)
    assert np.abs(y).max() == pytest.approx(1.0)


def test_noise_stays_in_its_band():
    rng = np.random.default_rng(3)
    y = synthesis.coloured_noise(1.0, sample_rate_hz=RATE_HZ, rng=rng, low_hz=400, high_hz=500)

    power = np.abs(np.fft.rfft(y)) ** 2
    assert power[400:501].sum() == pytest.approx(power.sum())


@pytest.mark.parametrize("kind", ["kick", "snare", "hat", "tom"])
def test_a_drum_is_struck_at_once_and_dies_away(kind):
    y = synthesis.drum(kind, sample_rate_hz=RATE_HZ, rng=np.random.default_rng(5))

    assert np.abs(y).max() == pytest.approx(1.0)
    assert np.argmax(np.abs(y)) < len(y) / 4
    assert np.abs(y[-len(y) // 10 :]).max() < 0.12


def test_equal_generators_give_equal_sounds():
    first, second = (synthesis.drum("snare", sample_rate_hz=RATE_HZ, rng=np.random.default_rng(9)) for _ in range(2))

    np.testing.assert_array_equal(first, second)


def test_silence_stays_silence_when_normalised():
    assert not synthesis.normalise(synthesis.silence(0.1, sample_rate_hz=RATE_HZ)).any()
    assert len(synthesis.normalise(np.zeros(0))) == 0
