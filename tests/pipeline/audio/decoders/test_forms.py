"""Every form that an encoder at hand can write comes back as the sound that went in."""

import numpy as np
import pytest
import soxr
from encoders import FORMS, SNDFILE_FORMS, dsf, encode, with_libav

from pipeline.audio.decode import decode, open_audio

BOUND_S = 60.0
FRAMES = 60_000
LOSSLESS = frozenset({
    "alac.m4a", "alac24.m4a", "pcm.mov", "flac.mka", "flac.mp4", "flac.oga", "whole.wv", "float.wv", "whole.tta",
    "deep.tta", "pcm.avi", "pcm.nut", "double.wav", "sowt.aifc", "float.aifc",
    "a.wav", "float.wav", "a.rf64", "a.w64", "a.aiff", "a.au", "a.caf", "lossless.caf", "a.flac", "a.voc", "a.sph",
})  # fmt: skip


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    """Two different voices, each a tone with vibrato and overtones, (60,000, 2), peak below 0.7."""
    time_s = np.arange(FRAMES) / 44_100
    voices = []
    for pitch_hz, beat_hz in ((220.0, 0.7), (330.0, 1.1)):
        phase = 2 * np.pi * pitch_hz * time_s + 2 * np.sin(2 * np.pi * beat_hz * time_s)
        voices.append(sum(0.3 / k * np.sin(k * phase) for k in (1, 2, 3)))
    return np.stack(voices, axis=1)


def place(samples: np.ndarray, written: np.ndarray) -> int:
    """Return by how many frames, 3,000 at most, the decoded samples lag behind the written ones: least squares."""
    decoded, piece = samples[5_000:17_000].astype(float), written[8_000:14_000]
    energy = np.concatenate(([0.0], np.cumsum((decoded**2).sum(axis=1))))
    alike = sum(np.correlate(decoded[:, channel], piece[:, channel]) for channel in range(decoded.shape[1]))
    return int(np.argmin(energy[6_000:] - energy[:-6_000] - 2 * alike)) - 3_000


def read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return decode(str(tmp_path / name), max_duration_s=BOUND_S)


@pytest.mark.parametrize("name", sorted(LOSSLESS))
def test_a_lossless_form_comes_back_sample_by_sample(tmp_path, music, name):
    audio = read(tmp_path, name, encode(name, music))
    assert (audio.sample_rate_hz, audio.note) == (44_100, "")
    assert audio.samples.shape == music.shape
    assert np.abs(audio.samples - music).max() < 2**-15 * 1.01


@pytest.mark.parametrize("name", sorted((FORMS.keys() | SNDFILE_FORMS.keys()) - LOSSLESS))
def test_a_lossy_form_comes_back_close_to_what_went_in(tmp_path, music, name):
    audio = read(tmp_path, name, encode(name, music))
    assert audio.note == ""
    assert audio.channels == 2
    assert abs(len(audio.samples) - len(music)) < 2_500
    lag = place(audio.samples, music)
    assert abs(lag) <= 2_048
    decoded, expected = audio.samples[8_000 + lag : 50_000 + lag], music[8_000:50_000]
    assert np.sqrt(np.mean((decoded - expected) ** 2)) < 0.05 * np.sqrt(np.mean(expected**2))


@pytest.mark.parametrize("name", ["aac.m4a", "alac.m4a", "opus.webm", "second.wma", "whole.wv", "a.flac", "a.mp3"])
def test_the_blocks_are_the_whole_file_in_one_reused_buffer(tmp_path, music, name):
    path = tmp_path / name
    path.write_bytes(encode(name, np.tile(music, (4, 1))))
    with open_audio(str(path), max_duration_s=BOUND_S) as reader:
        buffers, blocks = set(), []
        for block in reader.blocks():
            assert reader.note == ""
            assert (block.dtype, block.flags.c_contiguous) == (np.float32, True)
            buffers.add(block.ctypes.data)
            blocks.append(block.copy())
        assert [len(block) for block in blocks[:-1]] == [4 * reader.sample_rate_hz]
        assert len(buffers) == 1
    assert np.array_equal(np.concatenate(blocks), decode(str(path), max_duration_s=BOUND_S).samples)


def test_one_bit_sound_is_read_at_an_eighth_of_its_rate(tmp_path, music):
    (tmp_path / "a.dsf").write_bytes(dsf(music))
    audio = decode(str(tmp_path / "a.dsf"), max_duration_s=BOUND_S)
    assert (audio.sample_rate_hz, audio.channels) == (352_800, 2)
    low = soxr.resample(audio.samples, 352_800, 44_100)[:FRAMES]
    lag = place(low, music)
    decoded, expected = low[8_000 + lag : 50_000 + lag], music[8_000:50_000]
    # The constant is what first-order noise shaping leaves in the audible band.
    assert np.sqrt(np.mean((decoded - expected) ** 2)) < 0.05 * np.sqrt(np.mean(expected**2))


@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("5.1", 6), ("7.1", 8)])
def test_channels_keep_their_order(tmp_path, layout, channels):
    steps = np.repeat(np.arange(1, channels + 1) / 10, 5_000).reshape(channels, -1).T
    content = with_libav(steps, form="matroska", codec="flac", kind="s16", rate_hz=44_100, layout=layout)
    audio = read(tmp_path, "a.mka", content)
    assert np.abs(audio.samples - steps).max() < 1e-4
