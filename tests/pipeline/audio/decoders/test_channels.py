"""Which channels a file has is read from it, and their samples come in the order of WAVE, whichever decoder reads."""

import io
import struct

import numpy as np
import pytest
import soundfile
from surround import CONTAINERS, LAYOUTS, RATE_HZ, loudness, pitches, tones, write_surround

from pipeline.audio.decode import decode
from pipeline.features.families import ebu_r128
from pipeline.features.spec import compute

# The same loudspeakers by another name: all but WAVE's masks and FFmpeg's own tables know one pair of surrounds.
SURROUNDS = {"BL": "S", "BR": "S", "SL": "S", "SR": "S"}


@pytest.fixture
def read(tmp_path):
    """Decode bytes under a file name."""

    def make(content, name="a.bin"):
        (tmp_path / name).write_bytes(content)
        return decode(str(tmp_path / name), max_duration_s=60.0)

    return make


def integrated(audio) -> float:
    return float(compute(ebu_r128, audio).values[0, 0])


def without_side(names):
    """Return names in which the only pair of surrounds has no side."""
    has_both = {"BL", "SL"} <= set(names)
    return tuple(names) if has_both else tuple(SURROUNDS.get(name, name) for name in names)


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_layout_reads_as_the_standard_says_in_every_container_that_can_hold_it(read, name):
    for layout in sorted(CONTAINERS[name][3]):
        names = LAYOUTS[layout].split()
        written = tones(names, seconds=1.1)
        audio = read(write_surround(name, written, layout), name)
        assert pitches(audio.samples) == pitches(written), layout
        if len(names) > 2:
            assert without_side(audio.channel_names) == without_side(names), layout
        assert integrated(audio) == pytest.approx(loudness(audio.samples, names), abs=0.02), layout


def test_four_channels_are_three_and_an_effects_channel_or_four_as_the_mask_says(read):
    samples = tones(["FL", "FR", "FC", "LFE"])
    for name in ("a.wav", "a.flac", "a.wv"):
        three_and_one = integrated(read(write_surround(name, samples, "3.1")))
        four = integrated(read(write_surround(name, samples, "quad")))
        assert three_and_one == pytest.approx(loudness(samples, ["FL", "FR", "FC", "LFE"]), abs=0.02)
        assert four == pytest.approx(loudness(samples, ["FL", "FR", "BL", "BR"]), abs=0.02)
        assert four > three_and_one + 5


def test_two_channels_are_those_of_the_mask(read):
    """A centre with effects, and not left and right."""
    samples = tones(["FC", "LFE"], seconds=1.1)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, format="WAVEX", subtype="PCM_16")
    content = bytearray(file.getvalue())
    at = content.index(b"fmt ") + 8 + 20
    content[at : at + 4] = struct.pack("<I", 0xC)
    audio = read(bytes(content))
    assert audio.channel_names == ("FC", "LFE")
    assert integrated(audio) == pytest.approx(loudness(samples, ["FC", "LFE"]), abs=0.02)


@pytest.mark.parametrize(
    ("name", "sign", "skipped"), [("a.caf", b"chan", 12), ("a.aiff", b"CHAN", 8), ("a.mov", b"chan", 8)]
)
def test_a_table_of_channels_in_an_order_of_its_own_is_followed(read, name, sign, skipped):
    names = LAYOUTS["5.1"].split()
    written = tones(names, seconds=1.1)
    centre_first = [2, 0, 1, 4, 5, 3]  # C L R Ls Rs LFE
    content = write_surround(name, written[:, centre_first], "5.1")
    at = content.index(sign) + skipped
    table = struct.pack(">I", (124 << 16) | 6)  # kAudioChannelLayoutTag_MPEG_5_1_D
    audio = read(content[:at] + table + content[at + 4 :], name)
    assert pitches(audio.samples) == pitches(written)
    assert without_side(audio.channel_names) == without_side(names)
    assert integrated(audio) == pytest.approx(loudness(written, names), abs=0.02)


def test_files_of_a_foreign_order_leave_no_damage_behind_however_many_are_read(read):
    """A table that PyAV does not own was freed with each of its frames."""
    written = tones(LAYOUTS["7.1"].split(), seconds=1.1)
    for _ in range(20):
        for name in ("a.caf", "a.aiff"):
            # FFmpeg writes the tag of an order with the sides first.
            audio = read(write_surround_of_71(name, written), name)
            assert audio.channel_names == tuple(LAYOUTS["7.1"].split())
            assert pitches(audio.samples)[4:] == [*pitches(written)[6:], *pitches(written)[4:6]]


def write_surround_of_71(name, written):
    return write_surround(name, written, "7.1")


def test_a_plain_header_says_nothing_and_flacs_order_is_assumed(read, tmp_path):
    written = tones(LAYOUTS["5.1"].split(), seconds=1.1)
    soundfile.write(tmp_path / "plain.wav", written, RATE_HZ, format="WAV", subtype="PCM_16")
    audio = read((tmp_path / "plain.wav").read_bytes())
    assert audio.channel_names == ()
    assert integrated(audio) == pytest.approx(loudness(written, LAYOUTS["5.1"].split()), abs=0.02)


def test_a_mask_that_does_not_fit_the_channels_says_nothing(read):
    written = tones(LAYOUTS["5.1"].split(), seconds=1.1)
    content = bytearray(write_surround("a.wav", written, "5.1"))
    at = content.index(b"fmt ") + 8 + 20
    assert content[at : at + 4] == struct.pack("<I", 0x3F)
    for mask in (0, 0x3, 0xFFFF):
        content[at : at + 4] = struct.pack("<I", mask)
        audio = read(bytes(content))
        assert (audio.channel_names, pitches(audio.samples)) == ((), pitches(written))


def test_opus_that_leaves_its_channels_open_is_left_in_its_order(read):
    written = tones(LAYOUTS["5.1"].split(), seconds=1.1)
    content = bytearray(write_surround("a.opus", written, "5.1"))
    family = content.index(b"OpusHead") + 18
    assert content[family] == 1
    content[family] = 255
    content[22:26] = bytes(4)
    content[22:26] = struct.pack("<I", ogg_checksum(content[: 27 + content[26] + sum(content[27 : 27 + content[26]])]))
    audio = read(bytes(content))
    assert audio.channel_names == ()
    assert pitches(audio.samples) == [pitches(written)[at] for at in (0, 2, 1, 4, 5, 3)]


def ogg_checksum(page: bytes) -> int:
    """Return the CRC of a page of Ogg, whose own field is zero."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 1 << 31 else 0)) & 0xFFFFFFFF
    return crc


def test_the_mix_of_all_channels_does_not_depend_on_their_order(read):
    written = tones(LAYOUTS["5.1"].split(), seconds=1.1)
    mixes = [read(write_surround(name, written, "5.1")).mono for name in ("a.flac", "a.wav", "a.caf")]
    for mix in mixes[1:]:
        np.testing.assert_array_equal(mix, mixes[0])
