"""Log-mel pictures of whole seconds."""

import librosa
import numpy as np
import pytest

from pipeline.errors import TooShortError, UnsupportedError
from pipeline.features.families import mel_seconds, points
from pipeline.features.registry import families, family
from pipeline.features.spec import compute


def test_a_row_is_the_picture_of_one_second_as_librosa_draws_it(audio, noise):
    sound = noise((3 * 22_050 + 100, 1))
    rows = compute(mel_seconds, audio(sound, 22_050))

    assert rows.values.shape == (3, 44, 128)
    assert rows.start_s.tolist() == [0, 1, 2]
    for number, row in enumerate(rows.values):
        second = sound[number * 22_050 : (number + 1) * 22_050, 0]
        power = librosa.feature.melspectrogram(y=second, sr=22_050, pad_mode="constant")
        np.testing.assert_allclose(row, 10 * np.log10(np.maximum(power, 1e-10)).T, atol=2e-3)


def test_silence_is_a_picture_too(audio):
    rows = compute(mel_seconds, audio(np.zeros((44_100, 1)), 44_100))

    assert (rows.values == -100).all()


def test_less_than_a_second_is_too_short(audio, noise):
    with pytest.raises(TooShortError, match="a segment needs 22,050"):
        compute(mel_seconds, audio(noise((22_000, 1)), 22_050))


def test_points_are_known_by_name_and_never_extracted(audio, noise):
    assert family("points") is points
    assert "points" not in families()
    with pytest.raises(UnsupportedError, match="imported"):
        compute(points, audio(noise((22_050, 1)), 22_050))
