"""Fingerprints: what stays the same from one encoding to the next."""

import numpy as np
from songs import song

from pipeline.features.families import fingerprint
from pipeline.features.spec import compute


def words(audio, samples, rate_hz=44_100):
    return fingerprint.words_of(compute(fingerprint, audio(samples, rate_hz)).values)


def test_a_word_stands_for_116_ms_and_a_row_has_eight(audio):
    rows = compute(fingerprint, audio(song(1, 10.0), 44_100))
    assert fingerprint.WORD_S == 5 * 512 / 22_050
    assert len(rows) == np.ceil(10.0 / fingerprint.WORD_S / 8)
    np.testing.assert_allclose(rows.start_s[1], 8 * fingerprint.WORD_S, rtol=1e-6)
    whole = rows.values[:, :8]
    assert (whole == np.floor(whole)).all()
    assert 0 <= whole.min() < whole.max() < 2**24


def test_words_do_not_depend_on_the_level_and_the_row_says_it(audio):
    sound = song(1, 10.0)
    loud, soft = (compute(fingerprint, audio(gain * sound, 44_100)).values for gain in (1.0, 0.1))
    np.testing.assert_array_equal(fingerprint.words_of(loud), fingerprint.words_of(soft))
    np.testing.assert_allclose(fingerprint.levels_of(loud) - fingerprint.levels_of(soft), 20, atol=0.01)


def test_words_do_not_depend_on_the_channels(audio):
    mono = song(1, 10.0)[:, :1]
    np.testing.assert_array_equal(words(audio, mono), words(audio, np.repeat(mono, 2, axis=1)))


def test_silence_has_no_words(audio):
    rows = compute(fingerprint, audio(np.zeros((441_000, 2)), 44_100))
    assert not rows.values[:, :8].any()
    assert (rows.values[:, 8] == -100).all()
    assert len(fingerprint.words_of(rows.values)) == len(fingerprint.levels_of(rows.values)) == 0


def test_silence_at_the_end_has_no_words_either(audio):
    sound = song(1, 10.0)
    longer = np.concatenate([sound, np.zeros((5 * 44_100, 2), np.float32)])
    plain, padded = words(audio, sound), words(audio, longer)
    np.testing.assert_array_equal(plain, padded[: len(plain)])
    assert len(padded) <= len(plain) + 8  # those that reach from the sound into the silence


def test_the_last_row_counts_the_level_of_what_it_has(audio):
    values = compute(
        fingerprint, audio(np.full((44_100 * 3, 1), 0.5) * np.sin(np.arange(132_300) * 0.1)[:, None], 44_100)
    ).values
    assert np.ptp(fingerprint.levels_of(values)) < 1.0
