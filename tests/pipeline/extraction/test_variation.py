"""Sound altered piece by piece: what each kind does, measured on sines and noise."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.audio.block import StreamInfo
from pipeline.extraction.variation import apply_variation, measure
from pipeline.plans.augmentation import Variation

RATE_HZ = 22_050


def sine(frequency_hz=440.0, seconds=3.0, channels=1):
    wave = 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def altered(samples, pieces=None, **parameters):
    info = StreamInfo(rate_hz=RATE_HZ, channels=samples.shape[1])
    variation = Variation(copy=1, seed=1, **parameters)
    cut = [samples] if pieces is None else pieces
    out = apply_variation(cut, info, variation, measurement=measure([samples]), noise_key="ab" * 16)
    return np.concatenate([np.array(piece) for piece in out] or [samples[:0]])


def pitch_hz(samples):
    middle = samples[len(samples) // 4 : -len(samples) // 4, 0]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 8 * len(middle)))
    return spectrum.argmax() * RATE_HZ / 8 / len(middle)


def rms(samples):
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(
    ("parameters", "length", "pitch"),
    [
        ({"speed": 1.1}, 1 / 1.1, 1.1),
        ({"speed": 0.8}, 1 / 0.8, 0.8),
        ({"tempo": 1.25}, 1 / 1.25, 1.0),
        ({"tempo": 0.8}, 1 / 0.8, 1.0),
        ({"pitch_semitones": 12.0}, 1.0, 2.0),
        ({"pitch_semitones": -3.0}, 1.0, 2 ** (-3 / 12)),
        ({"speed": 1.1, "tempo": 1.2, "pitch_semitones": 2.0}, 1 / 1.32, 1.1 * 2 ** (2 / 12)),
        ({"tempo": 0.5, "pitch_semitones": 12.0}, 2.0, 2.0),
    ],
)
def test_speed_tempo_and_pitch_change_length_and_frequency_as_given(parameters, length, pitch, channels):
    samples = sine(channels=channels)
    out = altered(samples, **parameters)
    assert out.dtype == np.float32
    assert out.shape[1] == channels
    assert len(out) == pytest.approx(len(samples) * length, abs=0.06 * RATE_HZ)
    assert pitch_hz(out) == pytest.approx(440 * pitch, rel=0.01)


def test_gain_scales_by_decibels():
    samples = sine()
    assert rms(altered(samples, gain_db=-6.0)) == pytest.approx(rms(samples) * 10 ** (-6 / 20), rel=1e-5)


@pytest.mark.parametrize("snr_db", [0.0, 20.0])
@pytest.mark.parametrize("gain_db", [0.0, -12.0])
def test_noise_lies_as_far_below_the_sound_as_given(snr_db, gain_db):
    samples = sine(channels=2)
    noise = altered(samples, snr_db=snr_db, gain_db=gain_db) - altered(samples, gain_db=gain_db)
    measured_db = 20 * np.log10(rms(altered(samples, gain_db=gain_db)) / rms(noise))
    assert measured_db == pytest.approx(snr_db, abs=0.05)


def test_silence_stays_silent_whatever_the_noise():
    assert not altered(np.zeros((1000, 1), np.float32), snr_db=0.0).any()


def test_a_shift_keeps_the_length_and_fills_with_silence():
    samples = sine(seconds=2)
    later, earlier = altered(samples, shift_s=0.5), altered(samples, shift_s=-0.5)
    moved = RATE_HZ // 2
    assert len(later) == len(earlier) == len(samples)
    assert not later[:moved].any()
    np.testing.assert_array_equal(later[moved:], samples[:-moved])
    np.testing.assert_array_equal(earlier[:-moved], samples[moved:])
    assert not earlier[-moved:].any()


@pytest.mark.parametrize("shift_s", [60.0, -60.0])
def test_half_of_a_short_track_is_always_left(shift_s):
    samples = np.ones((1000, 1), np.float32)
    assert np.count_nonzero(altered(samples, shift_s=shift_s)) == 500


@settings(max_examples=25, deadline=None)
@example([9_000, 1, 77], {"tempo": 0.9})
@given(
    st.lists(st.integers(1, 20_000), min_size=1, max_size=6),
    st.sampled_from(
        [
            {"speed": 1.07},
            {"tempo": 0.9},
            {"pitch_semitones": 1.0},
            {"shift_s": 0.3},
            {"shift_s": -0.3},
            {"snr_db": 10.0, "gain_db": 3.0},
            {"speed": 0.95, "pitch_semitones": -2.0, "shift_s": 0.1, "gain_db": -3.0, "snr_db": 20.0},
        ]
    ),
)
def test_the_numbers_are_the_same_however_the_sound_is_cut(sizes, parameters):
    samples = np.random.default_rng(0).normal(0, 0.1, (sum(sizes), 2)).astype(np.float32)
    whole = altered(samples, **parameters)
    cut = altered(samples, np.split(samples, np.cumsum(sizes)), **parameters)
    np.testing.assert_array_equal(whole, cut)


@pytest.mark.parametrize("parameters", [{"speed": 1.1}, {"tempo": 1.1}, {"pitch_semitones": 1.0}, {"shift_s": 1.0}])
def test_a_single_sample_is_no_error(parameters):
    assert len(altered(np.ones((1, 2), np.float32), **parameters)) <= 1


def test_the_decoders_buffer_is_never_written_to():
    samples = sine()
    before = samples.copy()
    altered(samples, gain_db=3.0, snr_db=3.0, shift_s=0.1)
    np.testing.assert_array_equal(samples, before)


def test_nothing_altered_is_the_same_sound():
    samples = sine(channels=2)
    np.testing.assert_array_equal(altered(samples), samples)
