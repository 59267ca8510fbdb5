import errno
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.decode import decode
from pipeline.audio.decoders.stderr import StderrCapture
from pipeline.audio.hashing import content_hash
from pipeline.errors import (
    EmptyAudioError,
    MissingError,
    PermanentError,
    TooLargeError,
    TransientError,
    UnreadableError,
    UnsupportedError,
)

BOUND_S = 60.0


@pytest.mark.parametrize(
    ("kind", "error"), [("wav", 1e-4), ("aiff", 1e-4), ("au", 1e-4), ("flac", 1e-4), ("ogg", 0.1), ("mp3", 0.1)]
)
def test_every_format_comes_back_as_the_samples_that_went_in(write, noise, tone, kind, error):
    written = np.stack([tone(frequency_hz=f, rate_hz=44_100, duration_s=5, amplitude=0.5) for f in (440, 660)], axis=1)
    audio = decode(write(f"a.{kind}", written, 44_100), max_duration_s=BOUND_S)
    assert audio.samples.shape == written.shape
    assert audio.samples.dtype == np.float32
    assert audio.samples.flags.c_contiguous
    assert (audio.sample_rate_hz, audio.channels, audio.note) == (44_100, 2, "")
    assert np.abs(audio.samples[1000:-1000] - written[1000:-1000]).max() < error


@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "flac", "ogg", "mp3"])
def test_a_truncated_file_decodes_as_far_as_it_goes_and_says_how_far(write, noise, kind):
    path = Path(write(f"a.{kind}", noise((10 * 44_100, 1)), 44_100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    audio = decode(str(path), max_duration_s=BOUND_S)
    assert 4 < audio.duration_s < 5.5
    assert audio.note.startswith(f"decoded {audio.duration_s:.2f} s")


def test_the_frames_before_the_damage_are_the_right_ones(write, noise):
    written = noise((10 * 44_100, 1))
    path = Path(write("a.flac", written, 44_100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    audio = decode(str(path), max_duration_s=BOUND_S)
    assert np.abs(audio.samples - written[: len(audio.samples)]).max() < 1e-4


def test_warnings_of_the_mp3_decoder_go_to_the_note_and_not_to_standard_error(write, noise, capfd):
    path = Path(write("a.mp3", noise((5 * 44_100, 1)), 44_100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "the decoder says: " in decode(str(path), max_duration_s=BOUND_S).note
    assert capfd.readouterr().err == ""


def test_what_others_write_to_standard_error_while_decoding_is_passed_on(capfd):
    stderr = StderrCapture()
    with stderr.redirect():
        os.write(2, b"a worker's line\nNote: Trying to resync...\nNote: skipped 3 bytes\n")
    assert stderr.describe() == "the decoder says: Note: Trying to resync... (and 1 more)"
    stderr.close()
    assert capfd.readouterr().err == "a worker's line\n"


@pytest.mark.parametrize("rate_hz", [8_000, 192_000])
def test_low_and_high_rates_decode(write, rate_hz):
    audio = decode(write("a.wav", rate_hz=rate_hz), max_duration_s=BOUND_S)
    assert (audio.sample_rate_hz, audio.duration_s) == (rate_hz, 1.0)
    assert len(audio.mono) == 22_050


def test_six_channels_and_silence_and_three_samples_decode(write):
    assert decode(write("six.wav", np.zeros((100, 6))), max_duration_s=BOUND_S).channels == 6
    assert not decode(write("silent.wav", np.zeros(22_050)), max_duration_s=BOUND_S).samples.any()
    assert decode(write("three.wav", np.full(3, 0.1)), max_duration_s=BOUND_S).samples.shape == (3, 1)


def test_a_file_of_zero_bytes_and_one_without_samples_are_empty(write, tmp_path):
    (tmp_path / "zero.mp3").touch()
    with pytest.raises(EmptyAudioError, match="0 bytes"):
        decode(str(tmp_path / "zero.mp3"), max_duration_s=BOUND_S)
    with pytest.raises(EmptyAudioError, match="no samples"):
        decode(write("header.wav", np.zeros(0)), max_duration_s=BOUND_S)


@pytest.mark.parametrize("name", ["text.wav", "text.mp3", "text.flac", "text.ogg", "text"])
def test_what_is_not_audio_is_unreadable(tmp_path, name):
    (tmp_path / name).write_text("Dear diary, today I bought a trumpet.\n" * 50)
    with pytest.raises(UnreadableError, match=f"{name}: not a sound file"):
        decode(str(tmp_path / name), max_duration_s=BOUND_S)


@pytest.mark.parametrize("size", [1, 4, 12, 30, 44])
@pytest.mark.parametrize("kind", ["wav", "aiff", "flac", "ogg", "mp3"])
def test_a_file_cut_in_its_header_ends_in_one_line(write, kind, size):
    path = Path(write(f"a.{kind}"))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(PermanentError) as caught:
        decode(str(path), max_duration_s=BOUND_S)
    assert len(str(caught.value).splitlines()) == 1


def test_bad_samples_are_counted_and_located(write):
    samples = np.zeros((100, 2), np.float32)
    samples[40, 1], samples[50, 0], samples[60, 0] = np.nan, np.inf, -np.inf
    with pytest.raises(
        UnsupportedError, match="3 of 200 samples are NaN or infinite, the first at frame 40 of channel 1"
    ):
        decode(write("a.wav", samples, subtype="FLOAT"), max_duration_s=BOUND_S)


def test_samples_far_beyond_full_scale_are_refused_and_loud_ones_are_not(write):
    loud = np.full(100, 3e4, np.float32)
    assert decode(write("loud.wav", loud, subtype="FLOAT"), max_duration_s=BOUND_S).samples.max() == loud[0]
    with pytest.raises(UnsupportedError, match=r"1\.0e\+30 times full scale"):
        decode(write("absurd.wav", loud / 3e4 * 1e30, subtype="FLOAT"), max_duration_s=BOUND_S)


def test_samples_are_judged_by_the_highest_and_not_by_their_sum(write):
    many = np.full(20_000, 9e8, np.float32)  # whose squares add up to more than that of any sample allowed
    assert len(decode(write("many.wav", many, subtype="FLOAT"), max_duration_s=BOUND_S).samples) == len(many)


@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "w64", "caf", "flac"])
def test_sixteen_bit_samples_are_exact_fractions_of_full_scale(write, kind):
    rate_hz = 4_000
    steps = np.tile(np.array([-32_768, -32_767, -1, 0, 1, 32_767], np.int16), (2, 10 * rate_hz // 6)).T  # ten seconds
    path = write(f"a.{kind}", steps, rate_hz=rate_hz, subtype="PCM_16")
    assert np.array_equal(decode(path, max_duration_s=BOUND_S).samples, steps / np.float32(32_768))


def test_a_file_longer_than_the_bound_is_too_large(write):
    with pytest.raises(TooLargeError, match="longer than the bound of 1 s"):
        decode(write("a.wav", np.zeros(22_051)), max_duration_s=1.0)
    assert decode(write("b.wav", np.zeros(22_050)), max_duration_s=1.0).duration_s == 1.0


def wav(*, rate_hz, declared_bytes, channels=1, held=b"\x01\x00" * 1000):
    head = struct.pack("<IHHIIHH", 16, 1, channels, rate_hz, (2 * rate_hz) % 2**32, 2 * channels, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 0xFFFFFFFF)
        + b"WAVEfmt "
        + head
        + b"data"
        + struct.pack("<I", declared_bytes)
        + held
    )


@pytest.mark.parametrize("declared_bytes", [2000, 0x7FFFFFF0, 0xFFFFFFF0, 0xFFFFFFFF])
def test_a_wav_header_that_declares_gigabytes_yields_what_is_there(tmp_path, declared_bytes):
    (tmp_path / "a.wav").write_bytes(wav(rate_hz=8_000, declared_bytes=declared_bytes))
    assert len(decode(str(tmp_path / "a.wav"), max_duration_s=BOUND_S).samples) == 1000


def test_a_flac_header_that_declares_gigabytes_allocates_none(write):
    path = Path(write("a.flac", rate_hz=44_100))
    raw = bytearray(path.read_bytes())
    raw[21] |= 0x0F  # the 36-bit sample count of STREAMINFO
    raw[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(raw))
    assert soundfile.info(str(path)).frames > 2**35
    tracemalloc.start()
    try:
        audio = decode(str(path), max_duration_s=BOUND_S)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert len(audio.samples) == 44_100
    assert "decoded 1.00 s of 15" in audio.note


@pytest.mark.parametrize("rate_hz", [1, 999, 1_000_000, 2**31 - 1])
def test_a_rate_no_sound_has_is_unsupported(tmp_path, rate_hz):
    (tmp_path / "a.wav").write_bytes(wav(rate_hz=rate_hz, declared_bytes=2000))
    with pytest.raises(UnsupportedError, match="sample rate"):
        decode(str(tmp_path / "a.wav"), max_duration_s=BOUND_S)


def test_a_file_that_went_away_is_missing(tmp_path):
    for read in (content_hash, lambda path: decode(path, max_duration_s=BOUND_S)):
        with pytest.raises(MissingError, match=r"gone\.wav: no such file"):
            read(str(tmp_path / "gone.wav"))


def test_folders_and_pipes_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    for name in ("pipe.wav", ""):
        with pytest.raises(UnreadableError):
            decode(str(tmp_path / name), max_duration_s=BOUND_S)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.EACCES, UnreadableError), (errno.EIO, TransientError), (errno.ESTALE, TransientError)],
)
def test_what_the_system_refuses_is_permanent_or_worth_another_attempt(write, monkeypatch, number, expected):
    path = write("a.wav")

    def refuse(*_args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pipeline.audio.files.os.open", refuse)
    with pytest.raises(expected, match=r"a\.wav: "):
        decode(path, max_duration_s=BOUND_S)


@pytest.mark.parametrize(
    "name", ["with space.wav", "quote'\".wav", "new\nline.wav", "\u266b \U0001f3b5.wav", "-dash.wav", "%s{}.wav"]
)
def test_any_name_opens(write, name):
    assert decode(write(name), max_duration_s=BOUND_S).duration_s == 1.0


def test_a_name_with_bytes_that_are_not_utf8_opens_and_can_be_reported(write, odd_bytes_path):
    os.replace(write("plain.wav"), odd_bytes_path)  # noqa: PTH105 -- str with surrogates on purpose
    assert decode(odd_bytes_path, max_duration_s=BOUND_S).duration_s == 1.0
    assert len(content_hash(odd_bytes_path)) == 32
    with pytest.raises(TooLargeError) as caught:
        decode(odd_bytes_path, max_duration_s=0.1)
    str(caught.value).encode("utf-8")


def test_every_reason_is_one_line_even_for_a_name_with_newlines(tmp_path):
    (tmp_path / "two\nlines.wav").write_text("no sound")
    with pytest.raises(UnreadableError) as caught:
        decode(str(tmp_path / "two\nlines.wav"), max_duration_s=BOUND_S)
    assert len(str(caught.value).splitlines()) == 1


def test_the_content_hash_follows_the_bytes_and_not_the_name(tmp_path):
    for name, content in (("a", b"x" * 3_000_000), ("b", b"x" * 3_000_000), ("c", b"x" * 2_999_999 + b"y")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (content_hash(str(tmp_path / name)) for name in "abc")
    assert a == b != c
    assert len(a) == 32
