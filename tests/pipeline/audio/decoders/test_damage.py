"""Damage of the natural kinds decodes as far as it goes, and headers that lie cost nothing."""

import errno
import io
import os
import struct
import tracemalloc

import av
import numpy as np
import pytest
import soundfile
from encoders import ape, encode, with_libav

from pipeline.audio.decode import decode, open_audio
from pipeline.errors import EmptyAudioError, PermanentError, TooLargeError, TransientError, UnreadableError

BOUND_S = 60.0
RATE_HZ = 44_100


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Five seconds of stereo noise."""
    return np.random.default_rng(0).normal(0, 0.1, (5 * RATE_HZ, 2)).clip(-0.9, 0.9)


@pytest.fixture
def read(tmp_path):
    """Decode bytes under a file name."""

    def make(content, name="a.bin", **bound):
        (tmp_path / name).write_bytes(content)
        return decode(str(tmp_path / name), max_duration_s=bound.get("max_duration_s", BOUND_S))

    return make


@pytest.mark.parametrize(
    "name",
    [
        *("aac.mka", "opus.webm", "second.wma", "whole.wv", "whole.tta", "flac.mka", "pcm.avi", "flac.oga"),
        *(
            "a.wav",
            "a.rf64",
            "a.w64",
            "a.aiff",
            "a.au",
            "a.caf",
            "a.voc",
            "a.ogg",
            "a.opus",
            "a.flac",
            "a.mp3",
            "a.dsf",
        ),
    ],
)
def test_a_truncated_file_decodes_as_far_as_it_goes_and_says_how_far(read, sound, name):
    whole = encode(name, sound)
    audio = read(whole[: len(whole) // 2])
    assert 1.5 < audio.duration_s < 3.0
    assert audio.note.startswith(f"decoded {audio.duration_s:.2f} s")


def test_a_film_without_its_table_is_unreadable_for_that_reason(read, sound):
    whole = encode("aac.m4a", sound)
    with pytest.raises(UnreadableError, match="FFmpeg says: moov atom not found"):
        read(whole[: len(whole) // 2])


@pytest.mark.parametrize("name", ["aac.m4a", "adts.aac", "dolby.ac3", "whole.wv", "second.wma"])
def test_damage_in_the_middle_costs_only_what_it_hits(read, sound, name):
    damaged = bytearray(encode(name, sound))
    middle = len(damaged) // 2
    damaged[middle : middle + 2_000] = bytes(2_000)
    audio = read(bytes(damaged))
    assert audio.duration_s > 3.5


def test_a_damaged_frame_of_a_flac_costs_only_that_frame(read, sound):
    whole = encode("a.flac", sound)
    damaged = bytearray(whole)
    middle = len(damaged) // 2
    damaged[middle : middle + 100] = bytes(100)
    audio = read(bytes(damaged))
    assert audio.duration_s > 4.7
    assert audio.note.startswith(f"decoded {audio.duration_s:.2f} s: the decoder says: ")
    assert np.array_equal(audio.samples[:80_000], read(whole).samples[:80_000])


def without_its_frame_count(mp3: bytes) -> bytes:
    """Return an MP3 without its first frame, which holds the Xing header and no sound."""
    second = mp3.find(mp3[:2], mp3.find(b"Xing"))
    assert second > 0
    return mp3[second:]


def test_an_mp3_of_variable_bit_rate_without_a_frame_count_is_read_to_its_end(read):
    loud = np.random.default_rng(0).normal(0, 0.2, 4 * RATE_HZ).clip(-0.9, 0.9)
    quiet = 0.1 * np.sin(np.arange(16 * RATE_HZ) * 0.05)
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", RATE_HZ, 1, format="MP3", bitrate_mode="VARIABLE", compression_level=0.1
    ) as writer:
        writer.write(np.concatenate([loud, quiet]))
    whole = file.getvalue()
    (bare := io.BytesIO(without_its_frame_count(whole))).seek(0)
    assert soundfile.info(bare).duration < 10  # what libsndfile takes for all of it
    audio = read(bare.getvalue())
    assert 19.9 < audio.duration_s < 20.1
    # The frame count also tells how much the encoder put before the sound.
    expected = read(whole).samples[:, 0]
    late = len(audio.samples) - len(expected) - 1
    offset = min(range(late + 2_000), key=lambda at: np.abs(audio.samples[at : at + 2_000, 0] - expected[:2_000]).max())
    decoded = audio.samples[offset : offset + len(expected), 0]
    assert np.abs(decoded[5_000:] - expected[5_000 : len(decoded)]).max() < 1e-3


def test_streams_one_behind_the_other_are_all_read(read, sound):
    assert read(encode("a.ogg", sound) * 2).duration_s == pytest.approx(10.0, abs=0.05)
    assert read(encode("a.flac", sound) * 2).duration_s == 10.0
    assert read(encode("a.mp3", sound) * 2).duration_s == pytest.approx(10.0, abs=0.1)


def test_a_flac_of_unknown_or_understated_length_is_read_to_its_end(read, sound):
    for count in (0, 1_000):
        raw = bytearray(encode("a.flac", sound))
        raw[21] &= 0xF0  # the 36-bit sample count of STREAMINFO
        raw[22:26] = struct.pack(">I", count)
        audio = read(bytes(raw))
        assert (audio.duration_s, audio.note) == (5.0, "")


def test_a_recording_whose_length_was_never_written_is_read_to_its_end(read, sound):
    raw = bytearray(encode("a.wav", sound))
    at = raw.find(b"data")
    raw[4:8] = raw[at + 4 : at + 8] = bytes(4)
    assert read(bytes(raw)).duration_s == 5.0


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.aiff", "aac.m4a", "second.wma", "whole.wv"])
def test_junk_at_the_start_is_left_out(read, sound, name):
    audio = read(bytes(3_001) + encode(name, sound))
    assert audio.duration_s > 4.5
    assert audio.note == f"decoded {audio.duration_s:.2f} s: 3,001 bytes before the sound left out"


def test_junk_before_an_mp3_is_left_out(read, sound):
    assert read(bytes(3_001) + encode("a.mp3", sound)).duration_s == pytest.approx(5.0, abs=0.1)


@pytest.mark.parametrize("length", [b"\x7f\x7f\x7f\x7f", b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_an_id3_tag_of_a_wrong_length_hides_nothing(read, sound, length):
    tag = b"ID3\x03\0\0" + length + b"APIC\x0f\xff\xff\xff\0\0" + bytes(100)
    assert read(tag + encode("a.mp3", sound)).duration_s == pytest.approx(5.0, abs=0.1)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "aac.m4a", "whole.wv"])
def test_tags_at_the_end_are_no_damage(read, sound, name):
    audio = read(encode(name, sound) + b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8))
    assert audio.duration_s == pytest.approx(5.0, abs=0.1)
    assert audio.note == ""


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "aac.m4a", "opus.webm"])
@pytest.mark.parametrize("pretended", ["x.wav", "x.mp3", "x.ogg", "x.m4a", "x"])
def test_the_extension_means_nothing(read, sound, name, pretended):
    if pretended != name:
        assert read(encode(name, sound[:30_000]), pretended).duration_s > 0.5


def test_of_a_film_the_sound_is_read(read, sound):
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("flac", rate=RATE_HZ, layout="stereo", format="s16")
        for number in range(25):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8))
            picture.pts = number
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        whole = np.round(sound[: RATE_HZ * 2] * 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(whole.reshape(1, -1), "s16", "stereo")
        frame.sample_rate, frame.pts = RATE_HZ, 0
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    decoded = read(file.getvalue(), "film.mkv")
    assert (decoded.duration_s, decoded.note) == (2.0, "")
    assert np.abs(decoded.samples - sound[: RATE_HZ * 2]).max() < 1e-4


def test_a_film_without_sound_is_empty(read):
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))
        container.mux(video.encode(picture))
        container.mux(video.encode(None))
    with pytest.raises(EmptyAudioError, match="no sound track"):
        read(file.getvalue())


def test_no_file_makes_another_one_be_opened(read, tmp_path, sound):
    (tmp_path / "other.ts").write_bytes(encode("aac.ts", sound))
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nother.ts\n#EXT-X-ENDLIST\n"
    listing = f"ffconcat version 1.0\nfile {tmp_path / 'other.ts'}\n"
    for content in (playlist, listing):
        with pytest.raises(UnreadableError):
            read(content.encode(), "list.m4a")


PICTURE = struct.pack(">II", 3, 10) + b"image/jpeg" + struct.pack(">IIIIII", 0, 1, 1, 24, 0, 0xFFFFFFFF)


def ends_well(read, content: bytes) -> None:
    """Check that a file ends as samples or as a failure told in one line."""
    try:
        samples = read(content).samples
    except PermanentError as error:
        message = str(error)
    else:
        message, finite = "", np.isfinite(samples).all()
        assert finite
    assert "\n" not in message


@pytest.mark.parametrize("block_bytes", [len(PICTURE), 0xFFFFFF])
def test_a_picture_of_four_gigabytes_in_a_flac_costs_nothing(read, sound, block_bytes):
    whole = encode("a.flac", sound)
    content = whole[:42] + bytes([6]) + struct.pack(">I", block_bytes)[1:] + PICTURE + whole[42:]
    tracemalloc.start()
    try:
        ends_well(read, content)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("atom", [b"stsz", b"stts", b"stsc", b"stco", b"mdat", b"moov", b"ilst", b"mvhd", b"mdhd"])
@pytest.mark.parametrize("size", [0, 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_atom_of_a_wrong_size_ends_as_samples_or_as_one_line(read, sound, atom, size):
    raw = bytearray(encode("aac.m4a", sound[:30_000]))
    at = raw.find(atom)
    raw[at - 4 : at] = struct.pack(">I", size)
    ends_well(read, bytes(raw))


def test_a_packet_that_declares_a_hundred_million_samples_is_not_decoded(read):
    assert read(ape(50_000)).samples.shape == (50_000, 2)
    with pytest.raises(UnreadableError, match="none of 1 packets can be decoded: a packet of 134,380,224 samples"):
        read(ape(50_000, declared=134_380_224))


def test_the_bound_holds_for_every_decoder(read, sound):
    for name in ("a.wav", "aac.m4a", "whole.wv"):
        with pytest.raises(TooLargeError, match="longer than the bound of 2 s"):
            read(encode(name, sound), max_duration_s=2.0)


@pytest.mark.parametrize("name", ["a.flac", "aac.mka"])
def test_a_read_that_the_system_refuses_is_worth_another_attempt(tmp_path, monkeypatch, sound, name):
    whole = encode(name, np.tile(sound, (3, 1)))
    path = tmp_path / name
    path.write_bytes(whole[: len(whole) // 2] if name == "a.flac" else whole)
    with open_audio(str(path), max_duration_s=BOUND_S) as reader:
        blocks = reader.blocks()
        next(blocks)

        def refuse(*_args):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "pread", refuse)
        with pytest.raises(TransientError, match="input/output error"):
            list(blocks)


def test_an_error_of_whoever_reads_is_not_taken_for_one_of_the_file(tmp_path, sound):
    (tmp_path / "a.wav").write_bytes(encode("a.wav", sound))

    def reading():
        with open_audio(str(tmp_path / "a.wav"), max_duration_s=BOUND_S) as reader:
            for _ in reader.blocks():
                raise OSError(errno.EIO, "the disk of the store")

    with pytest.raises(OSError, match="the disk of the store") as caught:
        reading()
    assert not isinstance(caught.value, TransientError)


def test_a_message_of_one_file_is_not_reported_with_the_next(read, sound):
    whole = encode("aac.m4a", sound)
    for _ in range(2):
        with pytest.raises(UnreadableError, match=r"moov atom not found$"):
            read(whole[: len(whole) // 2])
    assert read(with_libav(sound, form="tta", codec="tta", kind="s16", rate_hz=RATE_HZ)).note == ""


def test_what_the_lengths_of_a_wav_do_not_cover_is_named_and_tags_are_not(read, sound):
    wav = encode("a.wav", sound)
    at = wav.index(b"data") + 4
    short = read(wav[:at] + struct.pack("<I", 400_000) + wav[at + 4 :])
    assert short.duration_s == pytest.approx(400_000 / 4 / RATE_HZ)
    assert f"{len(wav) - at - 4 - 400_000:,} bytes behind the sound left out" in short.note
    tag = b"ID3\x03\0\0\0\0\x10\0" + bytes(2_048)
    open_lengths = (wav[:at] + length + wav[at + 4 :] for length in (bytes(4), b"\xff" * 4))
    for whole in (wav + tag, wav + bytes(5_000), wav + b"id3 \0\x08\0\0" + bytes(2_048), *open_lengths):
        audio = read(whole)
        assert (audio.duration_s, audio.note) == (5.0, "")
