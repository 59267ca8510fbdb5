import librosa
import numpy as np
import pytest

from pipeline.audio.block import StreamInfo
from pipeline.audio.stream import AudioStream
from pipeline.errors import TooShortError
from pipeline.features.families import rhythm
from pipeline.features.spec import compute

RATE_HZ = 22_050
STROKE = np.sin(2 * np.pi * 1000 * np.arange(660) / RATE_HZ) * np.exp(-np.arange(660) / 200)


def strokes(times_s, duration_s, levels=1.0):
    signal = np.zeros(round(duration_s * RATE_HZ) + len(STROKE))
    for time_s, level in np.broadcast(times_s, levels):
        at = round(time_s * RATE_HZ)
        signal[at : at + len(STROKE)] += level * STROKE
    return signal[: round(duration_s * RATE_HZ)]


def clicks(bpm, duration_s=12.0):
    return strokes(np.arange(0.1, duration_s - 0.05, 60 / bpm), duration_s)


@pytest.fixture
def rhythm_row(audio):
    """Return the family's numbers of a signal, by column."""
    return lambda signal: dict(
        zip(rhythm.spec.columns, compute(rhythm, audio(signal, RATE_HZ)).values[0].tolist(), strict=True)
    )


@pytest.mark.parametrize("bpm", [*range(60, 201, 7), 200])
def test_the_tempo_of_clicks_is_found_within_half_a_percent(rhythm_row, bpm):
    row = rhythm_row(clicks(bpm))
    assert row["tempo"] == pytest.approx(bpm, rel=0.005)
    assert row["tempo_strength"] > 0.7


@pytest.mark.parametrize("bpm", [60, 90, 128, 200])
def test_clicks_in_noise_keep_their_tempo(rhythm_row, noise, bpm):
    row = rhythm_row(clicks(bpm) + noise(12 * RATE_HZ, 0.02))
    assert row["tempo"] == pytest.approx(bpm, rel=0.02)


def test_a_four_four_bar_with_weaker_eighths_between_goes_at_its_beat(rhythm_row, noise):
    """At 110 beats a minute, with strokes between the beats that are half as strong as a soft beat."""
    eighths = np.arange(0.1, 15.9, 30 / 110)
    levels = np.tile([1, 0.05, 0.4, 0.05, 0.8, 0.05, 0.4, 0.05], len(eighths))[: len(eighths)]
    row = rhythm_row(strokes(eighths, 16, levels) + noise(16 * RATE_HZ, 0.01))
    assert row["tempo"] == pytest.approx(110, rel=0.02)


def test_as_many_onsets_a_second_as_clicks(rhythm_row):
    assert rhythm_row(clicks(150, 20.0))["onset_rate"] == pytest.approx(2.5, rel=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_the_onsets_are_those_that_librosa_detects(noise, seed):
    times_s = np.sort(np.random.default_rng(seed).uniform(0.1, 9.5, 40))
    levels = np.random.default_rng(seed).uniform(0.05, 1, 40)
    signal = (strokes(times_s, 10, levels) + noise(10 * RATE_HZ, 0.003, seed)).astype(np.float32)
    decibels = librosa.power_to_db(librosa.feature.melspectrogram(y=signal, sr=RATE_HZ))
    rise = np.maximum(np.diff(decibels, axis=1), 0).mean(axis=0)
    row = np.flatnonzero(rhythm.onsets(np.concatenate([[0], rise])))
    assert row.tolist() == librosa.onset.onset_detect(y=signal, sr=RATE_HZ).tolist()
    assert len(row) > 15


def test_the_rate_counts_what_librosa_detects(rhythm_row, noise):
    times_s = np.random.default_rng(1).uniform(0.1, 9.5, 30)
    signal = (strokes(times_s, 10) + noise(10 * RATE_HZ, 0.003)).astype(np.float32)
    expected = len(librosa.onset.onset_detect(y=signal, sr=RATE_HZ)) / 10
    assert rhythm_row(signal)["onset_rate"] == pytest.approx(expected)


def test_what_does_not_repeat_has_a_weak_tempo_and_silence_none(rhythm_row, noise):
    assert rhythm_row(np.zeros(4 * RATE_HZ)) == {"onset_rate": 0, "tempo": 0, "tempo_strength": 0}
    assert rhythm_row(noise(20 * RATE_HZ))["tempo_strength"] < 0.3


def test_however_the_stream_is_cut_the_row_is_the_same(audio, noise):
    signal = (clicks(97) + noise(12 * RATE_HZ, 0.01)).astype(np.float32)
    info = StreamInfo(rate_hz=RATE_HZ, channels=1)
    working = rhythm.start(info)
    for block in AudioStream(info).blocks(np.split(signal[:, np.newaxis], [1, 2047, 2048, 9000, 100_000])):
        working.push(block)
    np.testing.assert_allclose(working.finish().values, compute(rhythm, audio(signal, RATE_HZ)).values, rtol=1e-4)


def test_less_than_a_second_is_too_short_and_a_second_is_enough(audio):
    with pytest.raises(TooShortError, match="22,049 samples"):
        compute(rhythm, audio(np.full(22_049, 0.1), RATE_HZ))
    assert np.isfinite(compute(rhythm, audio(clicks(240, 1.0), RATE_HZ)).values).all()
