import librosa
import numpy as np
import pytest
from crossings import zero_crossing_rate
from scipy import stats

from pipeline.audio.block import StreamInfo
from pipeline.audio.stream import AudioStream
from pipeline.errors import TooShortError
from pipeline.features import envelope, frame_features
from pipeline.features.families import frame_stats
from pipeline.features.spec import compute

RATE_HZ = 22_050
FRAME_RATE_HZ = RATE_HZ / 512


def slow_modulation(values):
    """Return log10 of the share of six octaves of rate, summed bin by bin from a plain transform."""
    values = np.asarray(values, np.float64)
    swing = (values - values.mean()) * np.hanning(len(values))
    energy = [
        abs(np.exp(-2j * np.pi * k * np.arange(len(swing)) / len(swing)) @ swing) ** 2
        for k in range(len(swing) // 2 + 1)
    ]
    shares = []
    for low in (0.5, 1, 2, 4, 8, 16):
        inside = sum(e for k, e in enumerate(energy) if low <= k * FRAME_RATE_HZ / len(swing) < 2 * low)
        shares.append(np.log10(inside / (sum(energy) + 1e-9) + 1e-4))
    return shares


def librosa_row(signal):
    """Return the 389 numbers by librosa's own functions over the whole signal, in the order of the definition."""
    feature = librosa.feature
    magnitude = np.abs(librosa.stft(signal))
    power = magnitude**2
    mfcc = feature.mfcc(S=librosa.power_to_db(feature.melspectrogram(S=power, sr=RATE_HZ, n_mels=128)), n_mfcc=40)
    mel = librosa.power_to_db(feature.melspectrogram(S=power, sr=RATE_HZ, n_mels=40))
    flux = [0.0] + [float(np.maximum(mel[:, t] - mel[:, t - 1], 0).mean()) for t in range(1, mel.shape[1])]
    shape = np.concatenate(
        [
            [zero_crossing_rate(signal)],
            feature.spectral_centroid(S=magnitude, sr=RATE_HZ) / 1000,
            feature.spectral_bandwidth(S=magnitude, sr=RATE_HZ) / 1000,
            feature.spectral_rolloff(S=magnitude, sr=RATE_HZ) / 1000,
            np.log10(feature.spectral_flatness(S=magnitude) + 1e-10),
            [flux],
        ]
    )
    contrast = feature.spectral_contrast(S=magnitude, sr=RATE_HZ)
    rms = feature.rms(S=magnitude)[0].astype(np.float64)
    absolute = 20 * np.log10(np.maximum(rms, 1e-5))
    level = np.maximum(absolute - absolute.max(), -80)
    steps = level[1:] - level[:-1]
    swing = level - level.mean()
    autocorrelation = np.array([swing[lag:] @ swing[: len(swing) - lag] for lag in range(len(swing))])
    autocorrelation /= autocorrelation[0] + 1e-9
    row = [*mfcc.mean(axis=1), *mfcc.std(axis=1)]
    row += [*feature.delta(mfcc).std(axis=1), *feature.delta(mfcc, order=2).std(axis=1)]
    row += [*np.percentile(mel, 10, axis=1), *np.percentile(mel, 90, axis=1), *mel.max(axis=1)]
    row += [*shape.mean(axis=1), *shape.std(axis=1), *contrast.mean(axis=1), *contrast.std(axis=1)]
    row += [level.mean(), level.std(), *np.percentile(level, [5, 25, 50, 75, 95])]
    row += [np.mean(level > -20), np.mean(level > -40), np.mean(level > -60), stats.skew(level), stats.kurtosis(level)]
    row += [steps.std(), np.mean(np.abs(steps)), steps.max(), -steps.min(), absolute.max()]
    row += slow_modulation(level) + slow_modulation(rms / rms.max())
    row += [autocorrelation[4:86].max(), autocorrelation[4:86].min(), *autocorrelation[[1, 2, 4, 8]]]
    for band in range(8):
        row += slow_modulation(mel[5 * band : 5 * band + 5].mean(axis=0))
    return np.array(row)


@pytest.fixture
def beats(noise, tone):
    """Five seconds of noise bursts, twice a second, over a tone."""
    signal = noise(5 * RATE_HZ, 0.2) * np.exp(-(np.arange(5 * RATE_HZ) % (RATE_HZ // 2)) / 2000)
    return (signal + tone(frequency_hz=330, rate_hz=RATE_HZ, duration_s=5, amplitude=0.05)).astype(np.float32)


def test_the_row_is_what_librosa_and_plain_sums_say(audio, beats):
    rows = compute(frame_stats, audio(beats, RATE_HZ))
    assert rows.values.shape == (1, 389)
    np.testing.assert_allclose(rows.values[0], librosa_row(beats), rtol=1e-4, atol=2e-4)


def test_columns_are_389_different_names_with_units_in_the_order_of_the_definition():
    columns = frame_stats.spec.columns
    assert len(columns) == len(set(columns)) == len(frame_stats.spec.units) == 389
    places = {0: "mfcc_0_mean", 159: "mfcc_39_delta2_std", 160: "mel_0_p10", 279: "mel_39_max", 280: "zcr_mean"}
    places |= {
        291: "flux_std",
        292: "contrast_0_mean",
        306: "level_mean",
        322: "level_max",
        323: "level_modulation_0.5hz",
    }
    places |= {329: "amplitude_modulation_0.5hz", 335: "level_repetition_max", 388: "band_7_modulation_16hz"}
    assert {i: columns[i] for i in places} == places


def test_a_level_that_beats_at_3_hz_shows_in_the_octave_from_2_hz():
    time_s = np.arange(430) / FRAME_RATE_HZ
    octaves = envelope.modulation_spectrum(np.sin(2 * np.pi * 3 * time_s))
    assert octaves.argmax() == 2
    assert 10 ** octaves[2] > 0.99


def test_the_repetition_of_a_beat_is_found_at_its_period():
    beat = np.tile([0.0, -20, -20, -20, -20, -20, -20, -20], 50)
    statistics = dict(zip(envelope.REPETITION, envelope.repetition(beat), strict=True))
    assert statistics["lag8"] == statistics["max"] == pytest.approx(392 / 400, abs=0.01)
    assert statistics["lag1"] < 0


def test_a_steady_level_has_no_skew_and_no_kurtosis():
    statistics = dict(zip(envelope.LEVELS, envelope.level_statistics(np.zeros(200), -20.0), strict=True))
    assert statistics == {
        **dict.fromkeys(envelope.LEVELS, 0.0),
        "above_20": 1,
        "above_40": 1,
        "above_60": 1,
        "max": -20,
    }


def test_a_clip_under_3_s_counts_as_that_clip_and_silence(audio, beats):
    padded = np.pad(beats[:30_000], (0, 66_150 - 30_000))
    np.testing.assert_array_equal(
        compute(frame_stats, audio(beats[:30_000], RATE_HZ)).values, compute(frame_stats, audio(padded, RATE_HZ)).values
    )


def test_less_than_a_frame_is_too_short_and_a_frame_is_enough(audio):
    with pytest.raises(TooShortError, match="2,047 samples"):
        compute(frame_stats, audio(np.full(2047, 0.1), RATE_HZ))
    assert np.isfinite(compute(frame_stats, audio(np.full(2048, 0.1), RATE_HZ)).values).all()


def test_zero_crossings_and_contrast_are_librosas(noise):
    signal = (noise(3 * RATE_HZ, 0.3) + 0.1).astype(np.float32)
    signal[20_000:30_000] = 0
    accumulator = frame_features.FrameAccumulator()
    for block in AudioStream(StreamInfo(rate_hz=RATE_HZ, channels=1)).blocks(
        np.split(signal[:, np.newaxis], [7, 9000])
    ):
        accumulator.push(block)
    frames = accumulator.finish()
    np.testing.assert_allclose(frames.crossings, librosa.feature.zero_crossing_rate(signal)[0], atol=1e-9)
    expected = librosa.feature.spectral_contrast(y=signal, sr=RATE_HZ)
    np.testing.assert_allclose(frames.contrast(slice(None)), expected.T, atol=1e-3)
