"""A file whose rate or channels change on the way is read to its end, in its first layout, and the note says so."""

import contextlib
import io
import re

import av
import numpy as np
import pytest
import soundfile
from encoders import with_libav

from pipeline.audio.decode import decode, open_audio
from pipeline.errors import PermanentError

RATE_HZ = 44_100
SECONDS = 2.0


@pytest.fixture
def read(tmp_path):
    """Decode bytes."""

    def make(content):
        (tmp_path / "a.bin").write_bytes(content)
        return decode(str(tmp_path / "a.bin"), max_duration_s=60.0)

    return make


def tone(channels=2, rate_hz=RATE_HZ, seconds=SECONDS):
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.repeat(0.25 * np.sin(2 * np.pi * 440 * time_s)[:, np.newaxis], channels, axis=1)


def snd(form, subtype, channels=2, rate_hz=RATE_HZ, seconds=SECONDS):
    file = io.BytesIO()
    soundfile.write(file, tone(channels, rate_hz, seconds), rate_hz, format=form, subtype=subtype)
    return file.getvalue()


def lav(form, codec, kind, channels=2, rate_hz=RATE_HZ, seconds=SECONDS):
    layout = "mono" if channels == 1 else "stereo"
    return with_libav(
        tone(channels, rate_hz, seconds), form=form, codec=codec, kind=kind, rate_hz=rate_hz, layout=layout
    )


WRITERS = {
    "vorbis": lambda **how: snd("OGG", "VORBIS", **how),
    "flac": lambda **how: snd("FLAC", "PCM_16", **how),
    "mp3": lambda **how: snd("MP3", "MPEG_LAYER_III", **how),
    "wav": lambda **how: snd("WAV", "PCM_16", **how),
    "aiff": lambda **how: snd("AIFF", "PCM_16", **how),
    "flac in ogg": lambda **how: lav("ogg", "flac", "s16", **how),
    "aac": lambda **how: lav("adts", "aac", "fltp", **how),
    "wavpack": lambda **how: lav("wv", "wavpack", "s16p", **how),
    "matroska": lambda **how: lav("matroska", "flac", "s16", **how),
    "mp4": lambda **how: lav("ipod", "aac", "fltp", **how),
    "ac3": lambda **how: lav("ac3", "ac3", "fltp", **how),
    "mp2": lambda **how: lav("mp2", "mp2", "s16", **how),
    "wma": lambda **how: lav("asf", "wmav2", "fltp", **how),
    "tta": lambda **how: lav("tta", "tta", "s16", **how),
    "flv": lambda **how: lav("flv", "aac", "fltp", **how),
    "avi": lambda **how: lav("avi", "pcm_s16le", "s16", **how),
    "au": lambda **how: snd("AU", "PCM_16", **how),
    "caf": lambda **how: snd("CAF", "PCM_16", **how),
    "rf64": lambda **how: snd("RF64", "PCM_16", **how),
    "w64": lambda **how: snd("W64", "PCM_16", **how),
    "voc": lambda **how: snd("VOC", "PCM_16", **how),
}


def seconds_converted(note: str) -> float:
    match = re.search(r"([\d.]+) s of another layout converted$", note)
    assert match is not None, note
    return float(match[1])


def pitch(samples, rate_hz):
    """Return the strongest pitch of a second of a channel, Hz."""
    second = samples[:rate_hz] * np.hanning(rate_hz)
    return int(np.abs(np.fft.rfft(second)).argmax())


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({}, {"channels": 1}, id="stereo then mono"),
        pytest.param({"channels": 1}, {}, id="mono then stereo"),
        pytest.param({}, {"rate_hz": 48_000}, id="44.1 then 48 kHz"),
    ],
)
def test_what_follows_in_another_layout_is_converted_to_the_first(read, name, first, second):
    if name == "ac3":  # it has no rate below 32 kHz, and both of these
        first = {"rate_hz": 48_000, **first} if "rate_hz" not in second else first
        second = {"rate_hz": 48_000, **second}
    write = WRITERS[name]
    audio = read(write(**first) + write(**second))
    assert (audio.sample_rate_hz, audio.channels) == (first.get("rate_hz", RATE_HZ), first.get("channels", 2))
    assert audio.duration_s == pytest.approx(2 * SECONDS, abs=0.15)
    assert seconds_converted(audio.note) == pytest.approx(SECONDS, abs=0.1)
    ending = audio.samples[-round(1.2 * audio.sample_rate_hz) :, 0]
    assert pitch(ending, audio.sample_rate_hz) == pytest.approx(440, abs=1)
    # As FFmpeg mixes: loudness stays, so one channel is 3 dB less in each of two.
    level = 0.25 * {"stereo": 2**-0.5, "mono": 2**0.5}.get(described(first, second), 1)
    assert np.abs(ending).max() == pytest.approx(level, abs=0.03)


def described(first, second):
    """Return what the channels of the second layout become, where their number changes."""
    if first.get("channels", 2) == second.get("channels", 2):
        return ""
    return "mono" if first.get("channels", 2) == 1 else "stereo"


@pytest.mark.parametrize("name", WRITERS)
def test_what_follows_in_the_same_layout_needs_no_note(read, name):
    how = {"rate_hz": 48_000} if name == "ac3" else {}
    audio = read(WRITERS[name](**how) * 3)
    assert audio.duration_s == pytest.approx(3 * SECONDS, abs=0.2)
    assert audio.note == ""


def without_header(flac: bytes) -> bytes:
    """Return the frames of a FLAC."""
    at, last = 4, 0
    while not last:
        last = flac[at] & 0x80
        at += 4 + int.from_bytes(flac[at + 1 : at + 4])
    return flac[at:]


@pytest.mark.parametrize(
    "how", [{"rate_hz": 48_000}, {"rate_hz": 22_050}, {"rate_hz": 37_000}, {"channels": 1}], ids=str
)
def test_frames_of_another_layout_within_one_flac_are_converted(read, how):
    first, other = WRITERS["flac"](), without_header(WRITERS["flac"](**how))
    for content, seconds in ((first + other, 2 * SECONDS), (first + other + without_header(first), 3 * SECONDS)):
        audio = read(content)
        assert (audio.sample_rate_hz, audio.channels) == (RATE_HZ, 2)
        assert audio.duration_s == pytest.approx(seconds, abs=0.01)
        assert seconds_converted(audio.note) == pytest.approx(SECONDS, abs=0.01)


def test_a_flac_with_more_sound_than_its_header_declares_is_read_to_its_end(read):
    content = bytearray(WRITERS["flac"]())
    content[22:26] = (RATE_HZ).to_bytes(4)  # of the 88,200 samples that there are
    assert read(bytes(content)).duration_s == pytest.approx(SECONDS)


def test_what_follows_a_stream_without_sound_is_read(read):
    empty, second = WRITERS["vorbis"](seconds=0.0), WRITERS["vorbis"](rate_hz=48_000)
    audio = read(empty + second)
    assert (audio.sample_rate_hz, audio.duration_s) == (48_000, pytest.approx(SECONDS))
    assert audio.note.endswith(f"{len(empty):,} bytes before the sound left out")


@pytest.mark.parametrize("name", ["vorbis", "tta"])
def test_a_tag_in_front_hides_no_link(read, name):
    tag = b"ID3\x04\0\0\0\0\x10\0" + bytes(2_048)
    write = WRITERS[name]
    audio = read(tag + write() + tag + write(channels=1))
    assert audio.duration_s == pytest.approx(2 * SECONDS, abs=0.01)
    assert seconds_converted(audio.note) == pytest.approx(SECONDS, abs=0.01)


def test_a_large_tag_between_mp3s_hides_nothing(read):
    picture = b"ID3\x03\0\0\0\x7f\x7f\x7f" + bytes(2_097_151)
    audio = read(WRITERS["mp3"]() + picture + WRITERS["mp3"](channels=1))
    assert audio.duration_s == pytest.approx(2 * SECONDS, abs=0.15)
    assert seconds_converted(audio.note) == pytest.approx(SECONDS, abs=0.1)


def test_a_matroska_that_was_written_as_it_was_recorded_hides_no_link(read):
    first = WRITERS["matroska"]()
    at = first.index(b"\x18\x53\x80\x67") + 4
    assert first[at] == 1  # a length of eight bytes
    audio = read(first[:at] + b"\x01" + b"\xff" * 7 + first[at + 8 :] + WRITERS["matroska"](channels=1))
    assert audio.duration_s == pytest.approx(2 * SECONDS, abs=0.01)
    assert seconds_converted(audio.note) == pytest.approx(SECONDS, abs=0.01)


@pytest.mark.parametrize("name", ["wav", "rf64", "w64", "aiff", "au", "caf", "voc", "wma", "tta", "avi"])
def test_a_length_that_no_file_has_costs_nothing(read, name):
    content = WRITERS[name]()
    for place in range(4, 72, 4):
        for number in (b"\xff" * 8, b"\x7f" + b"\xff" * 7, bytes(8)):
            damaged = content[:place] + number + content[place + 8 :]
            with contextlib.suppress(PermanentError):
                assert read(damaged).duration_s < 600


def test_a_second_chunk_of_samples_is_named(read):
    wav = WRITERS["wav"]()
    chunks = wav[12:] + wav[36:]
    audio = read(b"RIFF" + (4 + len(chunks)).to_bytes(4, "little") + b"WAVE" + chunks)
    assert audio.duration_s == pytest.approx(SECONDS)
    assert "352,800 bytes in further chunks of samples left out" in audio.note


def test_more_than_two_links_of_other_codecs_and_layouts_are_one_sound(read):
    opus = snd("OGG", "OPUS", channels=1, rate_hz=48_000)
    flac = WRITERS["flac in ogg"](rate_hz=22_050)
    audio = read(WRITERS["vorbis"]() + opus + flac + WRITERS["vorbis"](seconds=0.1))
    assert audio.duration_s == pytest.approx(3 * SECONDS + 0.1, abs=0.05)
    assert seconds_converted(audio.note) == pytest.approx(2 * SECONDS, abs=0.05)
    assert audio.samples[:, 0].std() > 0.1


@pytest.mark.parametrize("name", ["vorbis", "flac", "mp3"])
def test_a_short_end_in_another_layout_is_not_taken_for_tags(read, name):
    write = WRITERS[name]
    short = write(channels=1, seconds=0.5)
    assert len(short) < 30_000
    audio = read(write() + short)
    assert audio.duration_s == pytest.approx(SECONDS + 0.5, abs=0.1)
    assert seconds_converted(audio.note) == pytest.approx(0.5, abs=0.1)


def test_frames_that_no_decoder_makes_anything_of_are_named(read):
    frame = bytes([0xFF, 0xFB, 0x90, 0x64]) + b"\xff" * 413  # 128 kbit/s at 44.1 kHz
    audio = read(WRITERS["mp3"]() + frame * 40)
    assert audio.duration_s == pytest.approx(SECONDS, abs=1.1)
    assert audio.note.startswith(f"decoded {audio.duration_s:.2f} s: ")


def test_a_link_that_nothing_decodes_is_named_with_its_size(read):
    theora = bytearray(WRITERS["vorbis"]())
    theora[29:35] = b"nobody"  # the codec's sign in its first page
    audio = read(WRITERS["vorbis"]() + bytes(theora))
    assert audio.duration_s == pytest.approx(SECONDS, abs=0.01)
    assert f"{len(theora):,} bytes of another stream could not be decoded" in audio.note


def test_a_damaged_link_says_how_much_of_it_came(read):
    second = lav("wv", "wavpack", "s16p", channels=1)
    audio = read(lav("wv", "wavpack", "s16p") + second[: len(second) // 2])
    assert SECONDS + 0.4 < audio.duration_s < SECONDS + 1.6
    assert f"decoded {audio.duration_s:.2f} s of {2 * SECONDS:.2f} s: " in audio.note


@pytest.mark.parametrize("name", ["flac", "wav", "aiff", "au"])
def test_the_seconds_that_a_header_declares_are_kept_with_a_note_and_without_one_not(tmp_path, name):
    whole = WRITERS[name]()
    for state, content, declared_s in (("cut", whole[: len(whole) // 2], SECONDS), ("whole", whole, None)):
        (tmp_path / state).write_bytes(content)
        with open_audio(str(tmp_path / state), max_duration_s=60.0) as reader:
            for _ in reader.blocks():
                pass
            assert reader.declared_s == (declared_s and pytest.approx(declared_s, abs=0.001))
            assert bool(reader.note) == (declared_s is not None)


def test_surround_between_stereo_is_mixed_as_ffmpeg_mixes_it(read):
    stereo = lav("wv", "wavpack", "s16p", rate_hz=48_000)
    six = np.zeros((48_000, 6))
    six[:, 2] = 0.5  # the centre
    surround = with_libav(six, form="wv", codec="wavpack", kind="s16p", rate_hz=48_000, layout="5.1")
    audio = read(stereo + surround)
    resampler = av.AudioResampler("flt", "stereo", 48_000)
    frame = av.AudioFrame.from_ndarray(six.astype(np.float32).reshape(1, -1), "flt", "5.1")
    frame.sample_rate = 48_000
    expected = resampler.resample(frame)[0].to_ndarray().reshape(-1, 2)
    assert np.abs(audio.samples[-1_000:] - expected[-1_000:]).max() < 1e-3


@pytest.mark.parametrize(("form", "codec", "kind"), [("wv", "wavpack", "s16p"), ("ac3", "ac3", "fltp")])
def test_as_many_channels_of_other_loudspeakers_are_another_layout(read, form, codec, kind):
    effects = np.zeros((96_000, 4))
    effects[:, 3] = 0.4 * np.sin(2 * np.pi * 60 * np.arange(96_000) / 48_000)
    surrounds = np.zeros((96_000, 4))
    surrounds[:, 0] = 0.4 * np.sin(2 * np.pi * 440 * np.arange(96_000) / 48_000)
    four, three_and_one = (
        with_libav(samples, form=form, codec=codec, kind=kind, rate_hz=48_000, layout=layout)
        for samples, layout in ((surrounds, "quad"), (effects, "3.1"))
    )
    audio = read(four + three_and_one)
    assert set(audio.channel_names) & {"LFE", "FC"} == set()
    assert seconds_converted(audio.note) == pytest.approx(2.0, abs=0.1)
    # FFmpeg leaves the LFE out of a mix; as a surround it would be counted.
    assert np.abs(audio.samples[-20_000:]).max() < 0.01
