"""The digest of the sound: the same whatever the tags, another whatever the damage."""

import hashlib
import struct

import av
import encoders
import numpy as np
import pytest
import retagging
import soundfile
from retagging import EDITS, picture

from pipeline.audio.hashing import content_hash
from pipeline.audio.identity import file_digests, sound_digest
from pipeline.errors import MissingError

SECONDS = 3
REMUXED = {
    "a.mp3": "mp3", "a.flac": "flac", "a.ogg": "ogg", "a.opus": "opus", "flac.oga": "ogg", "aac.m4a": "ipod",
    "alac.m4a": "ipod", "a.wav": "wav", "float.wav": "wav", "whole.wv": "wv", "whole.tta": "tta",
    "second.wma": "asf", "aac.mka": "matroska", "opus.webm": "webm", "a.caf": "caf", "a.au": "au",
}  # fmt: skip
"""Files of `encoders`, and FFmpeg's name of the format they are copied into."""


@pytest.fixture(scope="module")
def samples():
    """A sound that no two places of which are alike, (frames, channels)."""
    return (np.random.default_rng(5).standard_normal((SECONDS * 44_100, 2)) * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def encoded(samples):
    """The bytes of a file, encoded once."""
    made = {}

    def get(name: str) -> bytes:
        if name not in made:
            made[name] = encoders.encode(name, samples)
        return made[name]

    return get


@pytest.mark.parametrize("kind", EDITS)
def test_tags_and_pictures_are_no_sound(tmp_path, encoded, kind):
    name, edit = EDITS[kind]
    path = tmp_path / name
    path.write_bytes(encoded(name))
    found = {sound_digest(str(path))}
    files = {content_hash(str(path))}
    for genre, cover in (("Jazz", b""), ("Rock and a longer name", picture()), ("Folk", b"")):
        edit(path, genre, cover)
        digests = file_digests(str(path))
        assert digests.sound_hash == sound_digest(str(path)), "alone and with the digest of the file"
        assert digests.file_hash == content_hash(str(path))
        found.add(digests.sound_hash)
        files.add(digests.file_hash)
    assert len(found) == 1
    assert len(found.pop()) == 32
    assert len(files) == 4, "each edit changed the bytes"


@pytest.mark.parametrize("name", [*encoders.FORMS, *encoders.SNDFILE_FORMS, "one bit.dsf"])
def test_damage_is_another_sound(tmp_path, encoded, name):
    path = tmp_path / name
    whole = encoded(name)
    path.write_bytes(whole)
    sound = file_digests(str(path)).content_hash
    for damaged in (whole[: len(whole) // 2], whole[:-2_000], _flipped(whole, len(whole) // 2)):
        path.write_bytes(damaged)
        digests = file_digests(str(path))
        assert digests.content_hash != sound
        assert digests.file_hash == hashlib.sha256(damaged).hexdigest()[:32]


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.ogg", "flac.oga", "aac.m4a", "second.wma", "a.wav", "a.caf"])
def test_no_cut_and_no_flipped_byte_of_a_header_raises_anything(tmp_path, encoded, name):
    path = tmp_path / name
    whole = encoded(name)
    random = np.random.default_rng(3)
    for _ in range(60):
        data = bytearray(whole[:20_000])
        for at in random.integers(0, 600, 3):
            data[at] = random.integers(256)
        path.write_bytes(data[: random.integers(len(data))])
        file_digests(str(path))


@pytest.mark.parametrize("name", REMUXED)
def test_a_copy_with_other_tags_by_ffmpeg_is_the_same_sound(tmp_path, encoded, name):
    path = tmp_path / name
    path.write_bytes(encoded(name))
    copy = tmp_path / f"copy of {name}"
    with av.open(str(path)) as read, av.open(str(copy), "w", format=REMUXED[name]) as written:
        stream = read.streams.audio[0]
        target = written.add_stream_from_template(stream)
        written.metadata["genre"] = "Rock"
        for packet in read.demux(stream):
            if packet.dts is not None:
                packet.stream = target
                written.mux(packet)
    assert copy.read_bytes() != path.read_bytes()
    assert sound_digest(str(copy)) == sound_digest(str(path))


def test_samples_left_out_at_the_ends_of_an_mp3_are_part_of_its_sound(tmp_path, encoded):
    whole = encoded("a.mp3")
    delay = whole.index(b"LAME") + 21
    path = tmp_path / "a.mp3"
    path.write_bytes(whole)
    plain = sound_digest(str(path))
    path.write_bytes(_flipped(whole, delay))
    assert sound_digest(str(path)) != plain
    path.write_bytes(_flipped(whole, whole.index(b"LAME")))
    assert sound_digest(str(path)) == plain, "only the name of the encoder"


def test_every_tag_around_an_mp3_is_passed_over(tmp_path, encoded):
    sound = encoded("a.mp3")
    empty = b"ID3\x04\x00\x00\x00\x00\x00\x14" + bytes(20)
    footed = b"ID3\x04\x00\x10\x00\x00\x00\x04" + bytes(4) + b"3DI\x04\x00\x10\x00\x00\x00\x04"
    apev2 = b"APETAGEX" + struct.pack("<IIII8x", 2_000, 32 + 5, 1, 0xA000_0000)
    apev2 += b"\0" * 5 + b"APETAGEX" + struct.pack("<IIII8x", 2_000, 32 + 5, 1, 0x8000_0000)
    old = b"TAG" + bytes(125)
    enhanced = b"TAG+" + bytes(223) + old
    lyrics1 = b"LYRICSBEGIN" + b"la la la" + b"LYRICSEND"
    body = b"LYRICSBEGININD0000200"
    lyrics2 = body + b"%06dLYRICS200" % len(body)
    path = tmp_path / "a.mp3"
    found = set()
    for before, after in (
        (b"", b""),
        (empty, b""),
        (empty + empty, old),
        (footed + bytes(700), enhanced),
        (apev2, lyrics1 + old),
        (empty + apev2, lyrics2 + old),
        (b"", apev2 + lyrics2 + old),
        (b"", lyrics2 + apev2),
        (b"", footed),
    ):
        path.write_bytes(before + sound + after)
        found.add(sound_digest(str(path)))
    assert len(found) == 1


def test_a_tag_before_a_flac_and_one_behind_it_are_passed_over(tmp_path, encoded):
    path = tmp_path / "a.flac"
    path.write_bytes(encoded("a.flac"))
    plain = sound_digest(str(path))
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x00\x14" + bytes(20) + encoded("a.flac") + b"TAG" + bytes(125))
    assert sound_digest(str(path)) == plain


@pytest.mark.parametrize("name", ["second.wma", "a.wav", "a.caf", "a.au", "aac.m4a", "a.w64"])
def test_a_tag_of_another_format_behind_a_sound_is_passed_over(tmp_path, encoded, samples, name):
    path = tmp_path / name
    if name == "a.w64":
        soundfile.write(path, samples, 44_100, format="W64")
    else:
        path.write_bytes(encoded(name))
    data, sound = path.read_bytes(), sound_digest(str(path))
    ape = b"APETAGEX" + struct.pack("<IIII", 2_000, 32, 0, 0) + bytes(8)
    for tag in (b"TAG" + b"A title".ljust(125, b"\0"), ape, ape + b"TAG" + bytes(125)):
        path.write_bytes(data + tag)
        assert sound_digest(str(path)) == sound


def test_the_movie_box_may_lie_before_or_behind_the_samples(tmp_path, encoded):
    path = tmp_path / "a.m4a"
    found = set()
    for data in (encoded("aac.m4a"), _with_moov_first(encoded("aac.m4a"))):
        path.write_bytes(data)
        found.add(sound_digest(str(path)))
        retagging.m4a(path, "Jazz", picture())
        found.add(sound_digest(str(path)))
    assert len(found) == 1


def _with_moov_first(data: bytes) -> bytes:
    """Return an MP4 file with `moov` moved before `mdat`, and the places of its chunks moved with it."""
    boxes, at = {}, 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        boxes[data[at + 4 : at + 8]] = data[at : at + length]
        at += length
    assert list(boxes).index(b"mdat") < list(boxes).index(b"moov")
    moov = bytearray(boxes.pop(b"moov"))
    at = moov.index(b"stco") + 8
    for place in range(at + 4, at + 4 + 4 * int.from_bytes(moov[at : at + 4], "big"), 4):
        moov[place : place + 4] = (int.from_bytes(moov[place : place + 4], "big") + len(moov)).to_bytes(4, "big")
    return boxes.pop(b"ftyp") + bytes(moov) + b"".join(boxes.values())


def test_pages_of_ogg_may_be_laid_out_in_another_way(tmp_path, encoded):
    from mutagen.ogg import OggPage

    path = tmp_path / "a.ogg"
    path.write_bytes(encoded("a.ogg"))
    plain = sound_digest(str(path))
    with path.open("rb") as file:
        pages = []
        while file.tell() < len(encoded("a.ogg")):
            pages.append(OggPage(file))
    packets = OggPage.to_packets(pages)
    small = OggPage.from_packets(packets, default_size=1_000)
    for page in small:
        page.serial, page.position = pages[0].serial, 0
    small[0].first, small[-1].last, small[-1].position = True, True, pages[-1].position
    path.write_bytes(b"".join(page.write() for page in small))
    assert len(small) > len(pages)
    assert sound_digest(str(path)) == plain


def test_what_decides_how_bytes_are_decoded_is_part_of_the_sound(tmp_path, encoded):
    wav = encoded("a.wav")
    at = wav.index(b"fmt ") + 12
    faster = wav[:at] + struct.pack("<I", 48_000) + wav[at + 4 :]
    flac = encoded("a.flac")
    path = tmp_path / "a"
    path.write_bytes(flac)
    retagging.vorbis_flac(path, "Jazz")
    from mutagen.flac import FLAC

    masked = FLAC(path)
    masked["WAVEFORMATEXTENSIBLE_CHANNEL_MASK"] = "0x0003"
    masked.save()
    found = [path.read_bytes(), flac, wav, faster]
    digests = set()
    for data in found:
        path.write_bytes(data)
        digests.add(sound_digest(str(path)))
    assert len(digests) == 4


def test_a_wav_and_its_64_bit_form_have_one_sound(tmp_path, encoded):
    wav = encoded("a.wav")
    body = wav[12:]
    long = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, len(wav), 0, 0, 0)
    size = struct.unpack("<I", wav[wav.index(b"data") + 4 : wav.index(b"data") + 8])[0]
    long = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, len(wav) + 28, size, 0, 0)
    long += body.replace(b"data" + struct.pack("<I", size), b"data\xff\xff\xff\xff", 1) + b"LIST\4\0\0\0INFO"
    path = tmp_path / "a.wav"
    path.write_bytes(wav)
    plain = sound_digest(str(path))
    path.write_bytes(long)
    assert sound_digest(str(path)) == plain


def test_what_is_no_sound_has_the_digest_of_its_bytes_alone(tmp_path):
    path = tmp_path / "notes.mp3"
    for data in (
        b"",
        b"just words",
        b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + b"words",
        b"fLaC",
        b"OggS",
        b"RIFF\0\0\0\0WAVE",
    ):
        path.write_bytes(data)
        digests = file_digests(str(path))
        assert digests.sound_hash == ""
        assert digests.content_hash == digests.file_hash == hashlib.sha256(data).hexdigest()[:32]
    path.unlink()
    with pytest.raises(MissingError):
        file_digests(str(path))


def test_a_file_is_read_once_and_in_little_memory(tmp_path, monkeypatch):
    import os

    from pipeline.audio.identity import digests

    path = tmp_path / "a.wav"
    with path.open("wb") as file:
        data = struct.pack("<IHHIIHH", 16, 1, 2, 44_100, 176_400, 4, 16) + b"data" + struct.pack("<I", 64 << 20)
        file.write(b"RIFF\0\0\0\0WAVEfmt " + data)
        file.truncate(64 << 20)
    read, real = [], os.preadv

    def counted(descriptor, buffers, begin):
        read.append(real(descriptor, buffers, begin))
        return read[-1]

    monkeypatch.setattr(digests.os, "preadv", counted)
    file_digests(str(path))
    assert sum(read) == path.stat().st_size
    assert max(read) == 1 << 20


@pytest.mark.parametrize(
    "name", [*("a.wav", "a.rf64", "a.w64", "a.aiff", "a.caf", "a.au", "a.voc", "a.flac", "a.ogg"), "aac.flv", "pcm.avi"]
)
def test_a_file_joined_to_another_is_part_of_its_sound(tmp_path, encoded, samples, name):
    path, first = tmp_path / name, encoded(name)
    found = set()
    for further in (b"", first, encoders.encode(name, samples[::-1])):
        path.write_bytes(first + further)
        digests = file_digests(str(path))
        assert digests.file_hash == content_hash(str(path))
        found.add(digests.sound_hash)
    assert len(found) == 3
