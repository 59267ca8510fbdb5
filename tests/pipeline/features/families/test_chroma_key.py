import librosa
import numpy as np
import pytest

from pipeline.audio.block import StreamInfo
from pipeline.audio.stream import AudioStream
from pipeline.errors import TooShortError
from pipeline.features.families import chroma, key
from pipeline.features.spec import compute

RATE_HZ = 22_050
NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
KEYS = pytest.mark.parametrize(("tonic", "mode"), [(t, m) for m in (1, 0) for t in range(12)])


def note(midi, duration_s, partials=6):
    """Make a plucked note, its partials falling off."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    frequency_hz = 440 * 2 ** ((midi - 69) / 12)
    signal = sum(np.sin(2 * np.pi * frequency_hz * k * time_s) / k**1.5 for k in range(1, partials + 1))
    return signal * np.exp(-2 * time_s)


def played(chords, duration_s=0.5):
    return 0.1 * np.concatenate([sum(note(midi, duration_s) for midi in chord) for chord in chords])


def cadence(tonic, mode):
    """I-IV-V7-I, with bass; in minor i-iv-V7-i."""
    third = 4 if mode else 3
    fourth = 9 if mode else 8
    root = 60 + tonic
    one, four = [root - 12, root, root + third, root + 7], [root - 7, root, root + 5, root + fourth]
    five = [root - 5, root - 1, root + 2, root + 5, root + 7]
    return played([one, four, five, one])


def scale(tonic, mode):
    """Up and down, with the leading tone in minor, the tonic held."""
    steps = [0, 2, 4, 5, 7, 9, 11, 12] if mode else [0, 2, 3, 5, 7, 8, 11, 12]
    return played([[60 + tonic + step] for step in [*steps, *steps[::-1], 0, 7, 0]], 0.3)


@pytest.fixture
def key_row(audio):
    """Return the key family's numbers of a signal, by column."""
    return lambda signal: dict(
        zip(key.spec.columns, compute(key, audio(signal, RATE_HZ)).values[0].tolist(), strict=True)
    )


def test_the_filters_are_librosas():
    expected = librosa.filters.chroma(sr=RATE_HZ, n_fft=2048, tuning=0.0)
    np.testing.assert_allclose(chroma.filters().T, expected, rtol=1e-4, atol=1e-7)


def test_means_and_deviations_are_those_of_librosas_chroma(audio, noise):
    signal = (cadence(2, 0) + noise(len(cadence(2, 0)), 0.003)).astype(np.float32)
    signal[: RATE_HZ // 2] = 0
    frames = librosa.feature.chroma_stft(y=signal, sr=RATE_HZ, tuning=0.0)
    row = compute(chroma, audio(signal, RATE_HZ)).values[0]
    np.testing.assert_allclose(row, np.concatenate([frames.mean(axis=1), frames.std(axis=1)]), rtol=1e-3)


@pytest.mark.parametrize("pitch_class", range(12))
def test_a_note_is_loudest_in_its_own_pitch_class_in_every_octave(audio, pitch_class):
    for octave in (4, 5, 6):
        signal = 0.1 * note(12 * (octave + 1) + pitch_class, 1.0, partials=1)
        means = compute(chroma, audio(signal, RATE_HZ)).values[0, :12]
        assert NAMES[means.argmax()] == NAMES[pitch_class]


def test_the_columns_run_from_c_to_b_means_first():
    assert chroma.spec.columns[:2] == ("c_mean", "c_sharp_mean")
    assert chroma.spec.columns[11:13] == ("b_mean", "c_std")


@KEYS
@pytest.mark.parametrize("music", [cadence, scale])
def test_cadences_and_scales_in_all_24_keys_are_recognised(key_row, music, tonic, mode):
    row = key_row(music(tonic, mode))
    assert (NAMES[int(row["tonic"])], row["mode"]) == (NAMES[tonic], mode)
    assert 0.5 < row["strength"] <= 1
    assert row["margin"] > 0


@KEYS
def test_a_profile_itself_is_its_own_key_without_any_doubt(tonic, mode):
    strengths = np.roll(key.MAJOR_PROFILE if mode else key.MINOR_PROFILE, tonic)
    np.testing.assert_allclose(key.key_of(strengths)[:3], [tonic, mode, 1])


def test_the_key_is_that_of_correlations_formed_one_by_one(noise):
    strengths = np.abs(noise(12))
    fits = {
        (tonic, mode): np.corrcoef(strengths, np.roll(profile, tonic))[0, 1]
        for mode, profile in ((0, key.MINOR_PROFILE), (1, key.MAJOR_PROFILE))
        for tonic in range(12)
    }
    best, second = sorted(fits, key=fits.get)[:-3:-1]
    np.testing.assert_allclose(key.key_of(strengths), [*best, fits[best], fits[best] - fits[second]])


def test_silence_has_no_key_and_noise_a_weak_one(key_row, noise):
    assert key_row(np.zeros(RATE_HZ)) == {"tonic": -1, "mode": -1, "strength": 0, "margin": 0}
    assert key_row(noise(20 * RATE_HZ))["margin"] < key_row(cadence(0, 1))["margin"]


@pytest.mark.parametrize("family", [chroma, key])
def test_however_the_stream_is_cut_the_row_is_the_same(audio, family):
    signal = cadence(7, 1).astype(np.float32)
    info = StreamInfo(rate_hz=RATE_HZ, channels=1)
    working = family.start(info)
    for block in AudioStream(info).blocks(np.split(signal[:, np.newaxis], [1, 2047, 2048, 9000])):
        working.push(block)
    np.testing.assert_allclose(working.finish().values, compute(family, audio(signal, RATE_HZ)).values, rtol=1e-4)


@pytest.mark.parametrize("family", [chroma, key])
def test_less_than_a_hop_is_too_short(audio, family):
    with pytest.raises(TooShortError, match="511 samples"):
        compute(family, audio(np.full(511, 0.1), RATE_HZ))
