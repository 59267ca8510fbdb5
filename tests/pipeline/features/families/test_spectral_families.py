import librosa
import numpy as np
import pytest
from scipy.fft import dct

from pipeline.errors import TooShortError
from pipeline.features.families import logmel, logmel_segments, mfcc_mean, mfcc_segments
from pipeline.features.spec import compute

RATE_HZ = 22_050


def slow_mel_power(signal, bands=128):
    """Return mel powers frame by frame: zero-padded centred frames, Hann window, FFT, librosa's filters."""
    filters = librosa.filters.mel(sr=RATE_HZ, n_fft=2048, n_mels=bands).astype(np.float64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    padded = np.concatenate([np.zeros(1024), signal, np.zeros(1024)])
    frames = []
    for start in range(0, len(signal) + 1, 512):
        power = np.abs(np.fft.rfft(window * padded[start : start + 2048])) ** 2
        frames.append(filters @ power)
    return np.array(frames).T


def slow_mfcc(signal, count):
    decibels = 10 * np.log10(np.maximum(slow_mel_power(signal), 1e-10))
    decibels = np.maximum(decibels, decibels.max() - 80)
    return dct(decibels, axis=0, norm="ortho")[:count]


@pytest.fixture
def music(noise, tone):
    """Seven seconds with a loud start, a quiet middle and a silent end."""
    signal = noise(7 * RATE_HZ, 0.02)
    signal[: 3 * RATE_HZ] += tone(frequency_hz=440, rate_hz=RATE_HZ, duration_s=3, amplitude=0.8)
    signal[6 * RATE_HZ :] = 0
    return signal.astype(np.float32)


def test_segment_rows_are_the_mfccs_of_each_3_s_alone(audio, music):
    rows = compute(mfcc_segments, audio(music, RATE_HZ))
    assert rows.values.shape == (2, 130, 16)
    for i in range(2):
        segment = music[i * 66_150 : (i + 1) * 66_150]
        np.testing.assert_allclose(rows.values[i], slow_mfcc(segment, 16).T, atol=2e-2)
        np.testing.assert_allclose(
            rows.values[i],
            librosa.feature.mfcc(y=segment, sr=RATE_HZ, n_mfcc=16, n_fft=2048, hop_length=512).T,
            atol=1e-3,
        )
    assert rows.start_s.tolist() == [0.0, 3.0]
    assert rows.channel.tolist() == [-1, -1]


def test_thirty_seconds_are_ten_segments_of_130_frames_and_a_sample_less_is_nine(audio, noise):
    signal = noise(30 * RATE_HZ)
    assert compute(mfcc_segments, audio(signal, RATE_HZ)).values.shape == (10, 130, 16)
    assert compute(mfcc_segments, audio(signal[:-1], RATE_HZ)).values.shape == (9, 130, 16)


def test_a_stereo_file_of_another_rate_has_as_many_segments(audio, noise):
    assert compute(mfcc_segments, audio(noise((30 * 44_100, 2)), 44_100)).values.shape == (10, 130, 16)


def test_log_mel_pictures_are_the_mel_bands_of_each_3_s_alone_in_decibels(audio, music):
    rows = compute(logmel_segments, audio(music, RATE_HZ))
    assert rows.values.shape == (2, 130, 64)
    for i in range(2):
        decibels = 10 * np.log10(np.maximum(slow_mel_power(music[i * 66_150 : (i + 1) * 66_150], 64), 1e-10))
        np.testing.assert_allclose(rows.values[i], np.maximum(decibels, decibels.max() - 80).T, atol=1e-2)


@pytest.mark.parametrize("family", [mfcc_segments, logmel_segments])
def test_less_than_a_segment_is_too_short(audio, family):
    with pytest.raises(TooShortError, match="66,149 samples"):
        compute(family, audio(np.zeros(66_149), RATE_HZ))


def test_the_mean_row_is_the_mean_of_40_mfccs_of_the_whole_file(audio, music):
    rows = compute(mfcc_mean, audio(music, RATE_HZ))
    assert rows.values.shape == (1, 40)
    np.testing.assert_allclose(rows.values[0], slow_mfcc(music, 40).mean(axis=1), atol=1e-2)
    np.testing.assert_allclose(
        rows.values[0], librosa.feature.mfcc(y=music, sr=RATE_HZ, n_mfcc=40).mean(axis=1), atol=1e-3
    )


def test_log_mel_rows_are_decibels_re_one_down_to_minus_100(audio, music):
    rows = compute(logmel, audio(music, RATE_HZ))
    assert rows.values.shape == (1 + len(music) // 512, 128)
    expected = 10 * np.log10(np.maximum(slow_mel_power(music), 1e-10))
    np.testing.assert_allclose(rows.values, expected.T, atol=2e-2)
    assert rows.values.min() == -100
    np.testing.assert_allclose(rows.start_s[:3], [0, 512 / RATE_HZ, 1024 / RATE_HZ], rtol=1e-6)


def test_a_tone_is_loudest_in_the_band_around_its_frequency(audio, tone):
    rows = compute(logmel, audio(tone(frequency_hz=2000, rate_hz=RATE_HZ, duration_s=1), RATE_HZ))
    centres_hz = librosa.mel_frequencies(130, fmax=RATE_HZ / 2)[1:-1]
    assert abs(centres_hz[rows.values[20].argmax()] - 2000) < 100


def test_the_mix_is_the_mean_of_the_channels(audio, noise):
    left, right = noise(RATE_HZ), noise(RATE_HZ, seed=1)
    both = compute(mfcc_mean, audio(np.stack([left, right], axis=1), RATE_HZ))
    mix = compute(mfcc_mean, audio((left.astype(np.float32) + right.astype(np.float32)) / 2, RATE_HZ))
    np.testing.assert_allclose(both.values, mix.values, atol=1e-3)


@pytest.mark.parametrize("family", [mfcc_mean, logmel])
def test_less_than_a_hop_is_too_short_and_a_hop_is_enough(audio, family):
    with pytest.raises(TooShortError, match="3 samples"):
        compute(family, audio(np.full(3, 0.1), RATE_HZ))
    with pytest.raises(TooShortError):
        compute(family, audio(np.full(3, 0.1), 192_000))
    assert np.isfinite(compute(family, audio(np.full(512, 0.1), RATE_HZ)).values).all()
