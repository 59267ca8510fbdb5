"""Small files with tags in every kind of tag that music comes with, written by mutagen, by FFmpeg or by hand."""

import io
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

import av
import mutagen
import numpy as np
from encoders import ape as monkeys_audio
from encoders import encode
from mutagen import aiff, apev2, asf, dsf, flac, id3, mp4, oggflac, oggopus, oggvorbis, wave
from mutagen.ogg import OggPage

Values = dict[str, list[str]]
"""The values of some fields of `Tags`, by the field's name."""

_FRAMES = {
    "title": id3.TIT2,
    "artist": id3.TPE1,
    "album_artist": id3.TPE2,
    "album": id3.TALB,
    "genre": id3.TCON,
    "year": id3.TDRC,
    "track": id3.TRCK,
    "bpm": id3.TBPM,
    "key": id3.TKEY,
}
_INFO = {"title": "INAM", "artist": "IART", "album": "IPRD", "genre": "IGNR", "year": "ICRD", "comment": "ICMT"}
_ATOMS = {
    "title": "\xa9nam",
    "artist": "\xa9ART",
    "album_artist": "aART",
    "album": "\xa9alb",
    "genre": "\xa9gen",
    "year": "\xa9day",
    "comment": "\xa9cmt",
}
_ASF = {
    "title": "Title",
    "artist": "Author",
    "album_artist": "WM/AlbumArtist",
    "album": "WM/AlbumTitle",
    "genre": "WM/Genre",
    "year": "WM/Year",
    "track": "WM/TrackNumber",
    "bpm": "WM/BeatsPerMinute",
    "key": "WM/InitialKey",
    "comment": "Description",
}
_VORBIS = {"album_artist": "albumartist", "year": "date", "track": "tracknumber", "key": "initialkey"}
_APE = {"album_artist": "Album Artist"}


@cache
def sound(name: str) -> bytes:
    """Return a tenth of a second of a tone, in a form that `encoders` has."""
    phase = np.arange(4_800) * 0.05
    return encode(name, np.stack([np.sin(phase), np.cos(phase)], axis=1) * 0.5)


def frames(values: Values) -> id3.ID3:
    """Return frames of ID3."""
    tags = id3.ID3()
    for name, texts in values.items():
        if name == "comment":
            tags.add(id3.COMM(encoding=3, lang="eng", desc="", text=texts))
        else:
            tags.add(_FRAMES[name](encoding=3, text=texts))
    return tags


def frame_bytes(values: Values, *, version: int = 4) -> bytes:
    """Return a block of ID3 version 2."""
    tags = frames(values)
    if version == 3:
        tags.update_to_v23()
    out = io.BytesIO()
    tags.save(out, v1=id3.ID3v1SaveOptions.REMOVE, v2_version=version, v23_sep=None)
    return out.getvalue()


def frames_v22(values: Values) -> bytes:
    """Return a block of ID3 version 2.2, whose frames have names of three letters."""
    names = {"title": b"TT2", "artist": b"TP1", "album": b"TAL", "genre": b"TCO", "year": b"TYE"}
    body = b""
    for name, texts in values.items():
        text = b"\x01" + "\0".join(texts).encode("utf-16")
        body += names[name] + len(text).to_bytes(3, "big") + text
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x02\x00\x00" + size + body


def _id3v24(path: Path, values: Values) -> None:
    path.write_bytes(frame_bytes(values) + sound("a.mp3"))


def _id3v23(path: Path, values: Values) -> None:
    path.write_bytes(frame_bytes(values, version=3) + sound("a.mp3"))


def _id3v22(path: Path, values: Values) -> None:
    path.write_bytes(frames_v22(values) + sound("a.mp3"))


def _id3v1(path: Path, values: Values) -> None:
    path.write_bytes(sound("a.mp3") + id3.MakeID3v1(dict(frames(values))))


def _footer(path: Path, values: Values) -> None:
    block = bytearray(frame_bytes(values))
    block[5] |= 0x10
    path.write_bytes(sound("a.mp3") + block + b"3DI" + block[3:10])


def _apev2(base: str) -> Callable[[Path, Values], None]:
    def write(path: Path, values: Values) -> None:
        path.write_bytes(sound(base))
        _add_ape(path, values)

    return write


def _add_ape(path: Path, values: Values) -> None:
    tags = apev2.APEv2()
    for name, texts in values.items():
        tags[_APE.get(name, name.capitalize())] = texts
    tags.save(path)


def _by_hand(head: bytes) -> Callable[[Path, Values], None]:
    def write(path: Path, values: Values) -> None:
        path.write_bytes(head + bytes(200))
        _add_ape(path, values)

    return write


def _monkeys_audio(path: Path, values: Values) -> None:
    path.write_bytes(monkeys_audio(4_800))
    _add_ape(path, values)


def _in_front(base: str) -> Callable[[Path, Values], None]:
    def write(path: Path, values: Values) -> None:
        path.write_bytes(frame_bytes(values) + sound(base))

    return write


def _in_chunk(base: str, kind: type[mutagen.FileType]) -> Callable[[Path, Values], None]:
    def write(path: Path, values: Values) -> None:
        path.write_bytes(sound(base))
        file = kind(path)
        if file.tags is None:
            file.add_tags()
        file.tags.update(frames(values))
        file.save()

    return write


def info_chunk(values: Values, *, encoding: str = "utf-8") -> bytes:
    """Return a LIST chunk of type INFO, a code for each value."""
    body = b"INFO"
    for name, texts in values.items():
        for text in texts:
            data = text.encode(encoding) + b"\0"
            body += _INFO[name].encode() + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return b"LIST" + struct.pack("<I", len(body)) + body


def _info(base: str) -> Callable[[Path, Values], None]:
    def write(path: Path, values: Values) -> None:
        whole = sound(base) + info_chunk(values)
        head = whole[:4] + (struct.pack("<I", len(whole) - 8) if whole[:4] == b"RIFF" else whole[4:8])
        path.write_bytes(head + whole[8:])

    return write


def _vorbis(base: str, kind: type[mutagen.FileType]) -> Callable[[Path, Values], None]:
    def write(path: Path, values: Values) -> None:
        path.write_bytes(sound(base))
        file = kind(path)
        for name, texts in values.items():
            file[_VORBIS.get(name, name)] = texts
        file.save()

    return write


def vorbis_comment(values: Values) -> bytes:
    """Return a Vorbis comment without its framing bit."""
    lines = [f"{_VORBIS.get(name, name).upper()}={text}".encode() for name, texts in values.items() for text in texts]
    fields = b"".join(struct.pack("<I", len(line)) + line for line in lines)
    return struct.pack("<I", 4) + b"none" + struct.pack("<I", len(lines)) + fields


def _speex(path: Path, values: Values) -> None:
    head = b"Speex   " + b"1.2".ljust(20, b"\0") + struct.pack("<6i", 1, 80, 16_000, 1, 4, 1) + bytes(28)
    with path.open("wb") as file:
        for number, packet in enumerate((head, vorbis_comment(values), bytes(40))):
            page = OggPage()
            page.packets, page.sequence, page.serial = [packet], number, 7
            page.first, page.last, page.position = number == 0, number == 2, 0
            file.write(page.write())


def _mp4(path: Path, values: Values) -> None:
    path.write_bytes(sound("aac.m4a"))
    file = mp4.MP4(path)
    for name, texts in values.items():
        if name == "track":
            file["trkn"] = [(int(texts[0]), 12)]
        elif name == "bpm":
            file["tmpo"] = [int(texts[0])]
        elif name == "key":
            file["----:com.apple.iTunes:initialkey"] = [text.encode() for text in texts]
        else:
            file[_ATOMS[name]] = texts
    file.save()


def freeform(name: str = "GENRE", mean: str = "com.apple.iTunes") -> Callable[[Path, Values], None]:
    """Return who writes an M4A file with genres under a free name."""

    def write(path: Path, values: Values) -> None:
        path.write_bytes(sound("aac.m4a"))
        file = mp4.MP4(path)
        file[f"----:{mean}:{name}"] = [text.encode() for text in values["genre"]]
        file.save()

    return write


def _wma(path: Path, values: Values) -> None:
    path.write_bytes(sound("second.wma"))
    file = asf.ASF(path)
    for name, texts in values.items():
        file[_ASF[name]] = texts
    file.save()


def _libav(form: str, codec: str, kind: str) -> Callable[[Path, Values], None]:
    """Return who writes a file by FFmpeg, which has one text for each name: several values stand with `; `."""

    def write(path: Path, values: Values) -> None:
        with av.open(str(path), "w", format=form) as container:
            container.metadata.update(
                {
                    _VORBIS.get(name, name).replace("albumartist", "album_artist"): "; ".join(texts)
                    for name, texts in values.items()
                }
            )
            stream = container.add_stream(codec, rate=48_000, layout="stereo", format=kind)
            frame = av.AudioFrame.from_ndarray(
                np.zeros((2, 4_800) if kind.endswith("p") else (1, 9_600), _kind(kind)), kind, "stereo"
            )
            frame.sample_rate, frame.pts = 48_000, 0
            for packets in (stream.encode(frame), stream.encode(None)):
                container.mux(packets)

    return write


def _kind(kind: str) -> type:
    return np.int16 if kind.startswith("s16") else np.float32


def _dsdiff(path: Path, values: Values) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack(">Q", len(data)) + data + bytes(len(data) % 2)

    sound_of = chunk(b"FS  ", struct.pack(">I", 2_822_400)) + chunk(b"CHNL", struct.pack(">H", 2) + b"SLFTSRGT")
    sound_of += chunk(b"CMPR", b"DSD " + b"\x0enot compressed\0")
    body = b"DSD " + chunk(b"FVER", b"\x01\x05\0\0") + chunk(b"PROP", b"SND " + sound_of) + chunk(b"DSD ", bytes(800))
    path.write_bytes(chunk(b"FRM8", body + chunk(b"ID3 ", frame_bytes(values))))


KINDS: dict[str, tuple[str, Callable[[Path, Values], None]]] = {
    "ID3v1": ("mp3", _id3v1),
    "ID3v2.2": ("mp3", _id3v22),
    "ID3v2.3": ("mp3", _id3v23),
    "ID3v2.4": ("mp3", _id3v24),
    "ID3v2.4 at the end": ("mp3", _footer),
    "APEv2 on an MP3": ("mp3", _apev2("a.mp3")),
    "ID3 on AAC": ("aac", _in_front("adts.aac")),
    "ID3 on AC-3": ("ac3", _in_front("dolby.ac3")),
    "ID3 in WAV": ("wav", _in_chunk("a.wav", wave.WAVE)),
    "INFO in WAV": ("wav", _info("a.wav")),
    "INFO in RF64": ("rf64", _info("a.rf64")),
    "ID3 in AIFF": ("aiff", _in_chunk("a.aiff", aiff.AIFF)),
    "ID3 in DSF": ("dsf", _in_chunk("a.dsf", dsf.DSF)),
    "ID3 in DSDIFF": ("dff", _dsdiff),
    "ID3 before FLAC": ("flac", _in_front("a.flac")),
    "FLAC": ("flac", _vorbis("a.flac", flac.FLAC)),
    "Ogg Vorbis": ("ogg", _vorbis("a.ogg", oggvorbis.OggVorbis)),
    "Ogg Opus": ("opus", _vorbis("a.opus", oggopus.OggOpus)),
    "Ogg FLAC": ("oga", _vorbis("flac.oga", oggflac.OggFLAC)),
    "Ogg Speex": ("spx", _speex),
    "MP4": ("m4a", _mp4),
    "MP4 freeform": ("m4a", freeform()),
    "ASF": ("wma", _wma),
    "WavPack": ("wv", _apev2("whole.wv")),
    "ID3 on TTA": ("tta", _in_front("whole.tta")),
    "APEv2 on TTA": ("tta", _apev2("whole.tta")),
    "Monkey's Audio": ("ape", _monkeys_audio),
    "Musepack": ("mpc", _by_hand(b"MPCK")),
    "OptimFROG": ("ofr", _by_hand(b"OFR ")),
    "TAK": ("tak", _by_hand(b"tBaK")),
    "Matroska": ("mka", _libav("matroska", "libopus", "flt")),
    "WebM": ("webm", _libav("webm", "libopus", "flt")),
    "AVI": ("avi", _libav("avi", "pcm_s16le", "s16")),
    "FLV": ("flv", _libav("flv", "aac", "fltp")),
    "CAF": ("caf", _libav("caf", "pcm_s16le", "s16")),
    "AU": ("au", _libav("au", "pcm_s16be", "s16")),
    "NUT": ("nut", _libav("nut", "pcm_s16le", "s16")),
    "QuickTime": ("mov", _libav("mov", "pcm_s16le", "s16")),
}
"""By the kind of tag: the extension of a file with it, and who writes one."""

BY_LIBAV = frozenset({"Matroska", "WebM", "AVI", "FLV", "CAF", "AU", "NUT", "QuickTime"})
"""Kinds that FFmpeg writes, with one text for each name."""

LONG = "Very long genre " * 250

ODD_GENRES: dict[str, list[str]] = {
    "empty first": ["", "Rock"],
    "blanks": ["  \t "],
    "placeholder": ["<unknown>", "Unknown"],
    "number": ["(17)"],
    "several": ["Jazz", "Rock", "Jazz"],
    "separators": ["Rock; Pop/Rock, R&B"],
    "4,000 characters": [LONG],
    "emoji": ["\U0001f3b8 Rock"],
    "right to left": ["\u05e8\u05d5\u05e7"],
    "NUL": ["Drum\0Bass"],
}
"""Ten genres that are found in libraries, or might be."""


def write(path: Path, kind: str, values: Values) -> Path:
    """Write a file with tags of a kind; the path gets its extension. Returns where it is."""
    extension, writer = KINDS[kind]
    file = path.with_suffix(f".{extension}")
    writer(file, values)
    return file
