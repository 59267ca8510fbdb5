"""Which recordings are one, by their fingerprints."""

import io

import numpy as np
import pytest
import soundfile
from songs import RATE_HZ, song, write

from pipeline.audio.stream import Audio
from pipeline.features.families import fingerprint
from pipeline.features.spec import compute
from pipeline.library.duplicates.candidates import candidates
from pipeline.library.duplicates.words import Words, is_same_music, lengths_agree

START = np.zeros(1, np.int64)
LONG_S = 24.0


def words(samples, rate_hz=RATE_HZ) -> Words:
    values = compute(
        fingerprint, Audio(samples=np.ascontiguousarray(samples, np.float32), sample_rate_hz=rate_hz)
    ).values
    return Words(words=fingerprint.words_of(values), levels=fingerprint.levels_of(values))


@pytest.fixture(scope="module")
def original() -> np.ndarray:
    return song(1, LONG_S)


@pytest.fixture(scope="module")
def print_of(original) -> Words:
    return words(original)


def vorbis(samples) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, samples[::2], RATE_HZ // 2, format="OGG")
    file.seek(0)
    return soundfile.read(file, dtype="float32", always_2d=True)[0]


def quieter_below(samples, share: float) -> np.ndarray:
    """Return a master with other dynamics: every other second softer."""
    second = np.arange(len(samples)) // RATE_HZ % 4 < 2
    return samples * np.where(second, 1.0, share)[:, np.newaxis].astype(np.float32)


def with_voice(samples) -> np.ndarray:
    other = song(77, LONG_S)
    changed = samples.copy()
    changed[len(samples) // 2 :] += 1.5 * other[len(samples) // 2 :]
    return changed


SAME = {
    "softer": lambda sound: words(0.2 * sound),
    "in mono": lambda sound: words(sound.mean(axis=1, keepdims=True)),
    "encoded at half the rate": lambda sound: words(vorbis(sound), RATE_HZ // 2),
    "50 ms later": lambda sound: words(np.concatenate([np.zeros((2_205, 2)), sound])),
    "without its first second": lambda sound: words(sound[RATE_HZ:]),
    "with silence behind it": lambda sound: words(np.concatenate([sound, np.zeros((3 * RATE_HZ, 2))])),
    "with a little noise": lambda sound: words(
        sound + np.random.default_rng(0).normal(0, 1e-3, sound.shape).astype(np.float32)
    ),
}
OTHER = {
    "another piece": lambda _: words(song(2, LONG_S)),
    "three quarters of it": lambda sound: words(sound[: len(sound) * 3 // 4]),
    "with another ending": lambda sound: words(np.concatenate([sound[: len(sound) // 2], song(3, LONG_S / 2)])),
    "with a voice": lambda sound: words(with_voice(sound)),
    "with other dynamics": lambda sound: words(quieter_below(sound, 0.5)),
    "faster": lambda sound: words(sound, int(RATE_HZ * 1.06)),
    "silence": lambda sound: words(0 * sound),
    "noise": lambda sound: words(np.random.default_rng(0).normal(0, 0.1, sound.shape)),
}


@pytest.mark.parametrize("how", SAME)
def test_a_recording_is_the_same_music(original, print_of, how):
    [(first, second, offsets)] = candidates([print_of, SAME[how](original)])
    assert (first, second) == (0, 1)
    assert is_same_music(print_of, SAME[how](original), offsets)


@pytest.mark.parametrize("how", OTHER)
def test_a_recording_is_other_music(original, print_of, how):
    other = OTHER[how](original)
    offsets = [offsets for _, _, offsets in candidates([print_of, other])] or [START]
    assert not is_same_music(print_of, other, offsets[0])
    assert not is_same_music(other, print_of, START)


def test_clips_with_little_sound_and_silence_are_never_the_same():
    clip = song(1, 2.5)
    for sound in (clip, np.concatenate([clip, np.zeros((20 * RATE_HZ, 2))]), np.zeros((20 * RATE_HZ, 2))):
        each = words(sound)
        assert list(candidates([each, each])) == []
        assert not is_same_music(each, each, START)


@pytest.mark.parametrize("other_hz", [440.5, 445.0, 660.0])
def test_steady_tones_are_not_one_for_being_steady(other_hz):
    t = np.arange(20 * RATE_HZ)[:, np.newaxis] / RATE_HZ
    first, second = (words(0.5 * np.sin(2 * np.pi * hz * t)) for hz in (440.0, other_hz))
    assert not is_same_music(first, second, START)


def test_sounds_whose_bits_hardly_change_tell_too_little():
    same = np.full(200, 0b1011, np.uint32)
    steady = Words(words=same, levels=np.zeros(200, np.float32))
    assert not is_same_music(steady, steady, START)


def test_a_candidate_is_at_the_offset_that_most_words_share(print_of):
    later = Words(words=print_of.words[20:], levels=print_of.levels[20:])
    [(_, _, offsets)] = candidates([print_of, later])
    assert offsets[0] == 20


def test_no_pair_is_listed_twice_and_different_music_hardly_ever(print_of):
    prints = [print_of, *(words(song(seed, 10.0)) for seed in (5, 6)), print_of, print_of]
    pairs = [(first, second) for first, second, _ in candidates(prints)]
    assert pairs == [(0, 3), (0, 4), (3, 4)]


def test_nothing_has_no_candidates():
    assert list(candidates([])) == []


def test_lengths_that_are_too_different_are_no_copies():
    first = np.array([100, 1000, 1000, 26])
    second = np.array([95, 800, 700, 30])
    assert lengths_agree(first, second).tolist() == lengths_agree(second, first).tolist() == [True, True, False, True]


def test_encoders_of_one_piece_agree(tmp_path, original, print_of):
    from pipeline.audio.decode import open_audio

    for name in ("a.mp3", "a.m4a", "a.opus", "a.flac"):
        write(tmp_path / name, original, bit_rate=96_000)
        with open_audio(str(tmp_path / name), max_duration_s=60) as reader:
            samples, rate_hz = np.concatenate([block.copy() for block in reader.blocks()]), reader.sample_rate_hz
        assert is_same_music(print_of, words(samples, rate_hz), START), name
