import librosa
import numpy as np
import pytest
from crossings import zero_crossing_rate
from scipy.signal import firwin, lfilter

from pipeline.audio.block import StreamInfo
from pipeline.audio.stream import Audio, AudioStream
from pipeline.errors import TooShortError
from pipeline.features.families import spectral_stats
from pipeline.features.spec import compute

RATE_HZ = 22_050


def librosa_frames(signal):
    """Return the 12 features of each frame, by name, by librosa's own functions over the whole signal."""
    feature = librosa.feature
    found = {
        "centroid": feature.spectral_centroid(y=signal, sr=RATE_HZ)[0],
        "bandwidth": feature.spectral_bandwidth(y=signal, sr=RATE_HZ)[0],
        "rolloff": feature.spectral_rolloff(y=signal, sr=RATE_HZ)[0],
        "flatness": feature.spectral_flatness(y=signal)[0],
        "zcr": zero_crossing_rate(signal),
    }
    return found | {f"contrast_{i}": row for i, row in enumerate(feature.spectral_contrast(y=signal, sr=RATE_HZ))}


@pytest.fixture
def music(noise, tone):
    """Eight seconds: a chord with noise bursts, a quiet passage, digital silence at the end."""
    signal = noise(8 * RATE_HZ, 0.1) * np.exp(-(np.arange(8 * RATE_HZ) % (RATE_HZ // 2)) / 2000)
    for frequency_hz in (220, 277, 330, 1760):
        signal += tone(frequency_hz=frequency_hz, rate_hz=RATE_HZ, duration_s=8, amplitude=0.1)
    signal[3 * RATE_HZ : 5 * RATE_HZ] *= 0.01
    signal[7 * RATE_HZ :] = 0
    return signal.astype(np.float32)


def test_means_and_deviations_are_those_of_librosas_frames(audio, music):
    row = compute(spectral_stats, audio(music, RATE_HZ)).values[0]
    statistics = dict(zip(spectral_stats.spec.columns, row, strict=True))
    expected = {f"{name}_mean": frames.mean(dtype=np.float64) for name, frames in librosa_frames(music).items()}
    expected |= {f"{name}_std": frames.std(dtype=np.float64) for name, frames in librosa_frames(music).items()}
    assert list(statistics) == list(expected)
    np.testing.assert_allclose(list(statistics.values()), list(expected.values()), rtol=1e-4)


def test_what_lies_far_below_the_loudest_bin_is_measured_as_exactly(audio, music):
    """The signal has next to nothing above a low-pass, and what a resampler leaves just below 11 kHz."""
    low_passed = lfilter(firwin(511, 6000, fs=RATE_HZ, window=("kaiser", 14)), 1, music).astype(np.float32)
    wide = Audio(samples=np.repeat(low_passed, 2)[:, np.newaxis], sample_rate_hz=2 * RATE_HZ)
    for sound in (audio(low_passed, RATE_HZ), wide):
        row = compute(spectral_stats, sound).values[0]
        statistics = dict(zip(spectral_stats.spec.columns, row, strict=True))
        for name, frames in librosa_frames(sound.mono).items():
            assert statistics[f"{name}_mean"] == pytest.approx(frames.mean(dtype=np.float64), rel=1e-4)
            assert statistics[f"{name}_std"] == pytest.approx(frames.std(dtype=np.float64), rel=1e-4)


def test_a_sine_has_its_frequency_as_centroid_and_roll_off_and_crosses_twice_a_period(audio, tone):
    signal = tone(frequency_hz=2000, rate_hz=RATE_HZ, duration_s=10, amplitude=0.5)
    statistics = dict(
        zip(spectral_stats.spec.columns, compute(spectral_stats, audio(signal, RATE_HZ)).values[0], strict=True)
    )
    assert statistics["centroid_mean"] == pytest.approx(2000, abs=20)
    assert statistics["rolloff_mean"] == pytest.approx(2000, abs=25)
    assert statistics["zcr_mean"] == pytest.approx(4000 / RATE_HZ, rel=0.01)
    assert statistics["flatness_mean"] < 1e-3


def test_white_noise_is_flat_and_half_of_it_lies_on_either_side_of_the_centroid(audio, noise):
    statistics = dict(
        zip(
            spectral_stats.spec.columns,
            compute(spectral_stats, audio(noise(60 * RATE_HZ), RATE_HZ)).values[0],
            strict=True,
        )
    )
    assert statistics["centroid_mean"] == pytest.approx(RATE_HZ / 4, rel=0.01)
    assert statistics["bandwidth_mean"] == pytest.approx(RATE_HZ / 2 / np.sqrt(12), rel=0.01)
    assert statistics["rolloff_mean"] == pytest.approx(0.85 * RATE_HZ / 2, rel=0.01)
    # the mean logarithm of an exponential variable is -Euler's constant
    assert statistics["flatness_mean"] == pytest.approx(np.exp(-np.euler_gamma), rel=0.02)
    assert statistics["zcr_mean"] == pytest.approx(0.5, rel=0.01)


def test_however_the_stream_is_cut_the_row_is_the_same(audio, music):
    working = spectral_stats.start(StreamInfo(rate_hz=RATE_HZ, channels=1))
    cuts = [1, 3, 511, 2000, 30_001, 30_002]
    for block in AudioStream(StreamInfo(rate_hz=RATE_HZ, channels=1)).blocks(np.split(music[:, np.newaxis], cuts)):
        working.push(block)
    whole = compute(spectral_stats, audio(music, RATE_HZ)).values
    np.testing.assert_allclose(working.finish().values, whole, rtol=1e-5)


def test_there_are_units_for_means_and_deviations():
    units = dict(zip(spectral_stats.spec.columns, spectral_stats.spec.units, strict=True))
    assert len(units) == 24
    assert {units[f"{name}_{s}"] for name in ("centroid", "bandwidth", "rolloff") for s in ("mean", "std")} == {"Hz"}
    assert (units["contrast_6_std"], units["zcr_mean"], units["flatness_std"]) == ("dB", "1", "1")


def test_less_than_a_hop_is_too_short(audio):
    with pytest.raises(TooShortError, match="511 samples"):
        compute(spectral_stats, audio(np.full(511, 0.1), RATE_HZ))
    assert np.isfinite(compute(spectral_stats, audio(np.full(512, 0.1), RATE_HZ)).values).all()
