import librosa
import numpy as np
import pytest

from pipeline.audio.block import StreamInfo
from pipeline.audio.stream import AudioStream
from pipeline.errors import TooShortError
from pipeline.features.families import frame_stats, mfcc_stats
from pipeline.features.spec import compute

RATE_HZ = 22_050


@pytest.fixture
def music(noise, tone):
    """Six seconds of noise bursts over a tone that falls silent."""
    signal = noise(6 * RATE_HZ, 0.2) * np.exp(-(np.arange(6 * RATE_HZ) % (RATE_HZ // 3)) / 1500)
    signal += tone(frequency_hz=330, rate_hz=RATE_HZ, duration_s=6, amplitude=0.1)
    signal[5 * RATE_HZ :] = 0
    return signal.astype(np.float32)


def streamed(signal, cuts):
    info = StreamInfo(rate_hz=RATE_HZ, channels=1)
    working = mfcc_stats.start(info)
    for block in AudioStream(info).blocks(np.split(signal[:, np.newaxis], cuts)):
        working.push(block)
    return working.finish().values[0]


def librosa_row(signal):
    mfcc = librosa.feature.mfcc(y=signal, sr=RATE_HZ, n_mfcc=40)
    slopes = [librosa.feature.delta(mfcc, order=order).std(axis=1) for order in (1, 2)]
    return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1), *slopes])


def test_the_row_is_what_librosas_mfccs_and_deltas_say(audio, music):
    row = compute(mfcc_stats, audio(music, RATE_HZ)).values[0]
    np.testing.assert_allclose(row, librosa_row(music), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("samples", [4096, 4607, 4608, 9000])
def test_the_ends_have_librosas_slopes_in_the_shortest_sounds_too(music, samples):
    found = streamed(music[:samples], list(range(100, samples, 700)))
    np.testing.assert_allclose(found, librosa_row(music[:samples]), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("cuts", [[], [100, 700, 1300], list(range(512, 6 * RATE_HZ, 512)), [66_150]])
def test_however_the_stream_is_cut_the_row_is_the_same(audio, music, cuts):
    np.testing.assert_allclose(
        streamed(music, cuts), compute(mfcc_stats, audio(music, RATE_HZ)).values[0], rtol=1e-5, atol=1e-5
    )


def test_a_long_track_leaves_memory_for_a_file_and_keeps_its_numbers(audio, music, monkeypatch):
    expected = streamed(music, [66_150])
    monkeypatch.setattr(mfcc_stats, "_SPILL_BYTES", 40_000)
    np.testing.assert_allclose(streamed(music, [66_150]), expected, rtol=1e-5, atol=1e-5)


def test_the_columns_are_the_first_160_of_frame_stats(audio, music):
    assert mfcc_stats.spec.columns == frame_stats.spec.columns[:160]
    sound = audio(music, RATE_HZ)
    np.testing.assert_allclose(
        compute(mfcc_stats, sound).values[0], compute(frame_stats, sound).values[0, :160], rtol=1e-4, atol=1e-4
    )


def test_fewer_than_nine_frames_are_too_short(audio):
    with pytest.raises(TooShortError, match="4,095 samples"):
        compute(mfcc_stats, audio(np.full(4095, 0.1), RATE_HZ))
