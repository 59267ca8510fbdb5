"""Edits of tags by mutagen, as people's programs do them, in every form that a format has."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

import mutagen
from mutagen import aiff, apev2, asf, dsf, flac, id3, mp4, oggopus, oggvorbis, wave

PICTURE_BYTES = 3 << 20


def picture() -> bytes:
    """Return what stands for a picture of 3 MB."""
    return b"\xff\xd8\xff" + bytes(range(256)) * (PICTURE_BYTES // 256)


def id3v24(path: Path, genre: str, cover: bytes = b"") -> None:
    _id3(path, genre, cover, version=4, v1=id3.ID3v1SaveOptions.REMOVE)


def id3v23(path: Path, genre: str, cover: bytes = b"") -> None:
    _id3(path, genre, cover, version=3, v1=id3.ID3v1SaveOptions.REMOVE)


def id3v1(path: Path, genre: str, cover: bytes = b"") -> None:
    _id3(path, genre, cover, version=4, v1=id3.ID3v1SaveOptions.CREATE)


def _id3(path: Path, genre: str, cover: bytes, *, version: int, v1: int) -> None:
    tags = id3.ID3()
    _fill_id3(tags, genre, cover)
    if version == 3:
        tags.update_to_v23()
    tags.save(path, v1=v1, v2_version=version)


def _fill_id3(tags: id3.ID3, genre: str, cover: bytes) -> None:
    tags.setall("TCON", [id3.TCON(encoding=3, text=[genre])])
    if cover:
        tags.setall("APIC", [id3.APIC(encoding=3, mime="image/jpeg", type=3, desc="cover", data=cover)])


def ape(path: Path, genre: str, cover: bytes = b"") -> None:
    tags = apev2.APEv2()
    tags["Genre"] = genre
    if cover:
        tags["Cover Art (Front)"] = apev2.APEValue(b"cover.jpg\0" + cover, apev2.BINARY)
    tags.save(path)


def vorbis_flac(path: Path, genre: str, cover: bytes = b"") -> None:
    file = flac.FLAC(path)
    file["genre"] = genre
    if cover:
        file.clear_pictures()
        file.add_picture(_flac_picture(cover))
    file.save(padding=lambda info: len(genre) * 100)


def _flac_picture(cover: bytes) -> flac.Picture:
    found = flac.Picture()
    found.data, found.mime, found.type = cover, "image/jpeg", 3
    return found


def _ogg(kind: Callable[[Path], mutagen.FileType]) -> Callable[..., None]:
    def edit(path: Path, genre: str, cover: bytes = b"") -> None:
        file = kind(path)
        file["genre"] = genre
        if cover:
            file["metadata_block_picture"] = base64.b64encode(_flac_picture(cover).write()).decode()
        file.save()

    return edit


def m4a(path: Path, genre: str, cover: bytes = b"") -> None:
    file = mp4.MP4(path)
    file["\xa9gen"] = genre
    if cover:
        file["covr"] = [mp4.MP4Cover(cover)]
    file.save()


def _chunk_id3(kind: Callable[[Path], mutagen.FileType]) -> Callable[..., None]:
    def edit(path: Path, genre: str, cover: bytes = b"") -> None:
        file = kind(path)
        if file.tags is None:
            file.add_tags()
        _fill_id3(file.tags, genre, cover)
        file.save()

    return edit


def wma(path: Path, genre: str, cover: bytes = b"") -> None:
    file = asf.ASF(path)
    file["WM/Genre"] = genre
    if cover:
        file["WM/Picture"] = asf.ASFByteArrayAttribute(cover)
    file.save()


opus = _ogg(oggopus.OggOpus)
vorbis = _ogg(oggvorbis.OggVorbis)
wav = _chunk_id3(wave.WAVE)
aifc = _chunk_id3(aiff.AIFF)
one_bit = _chunk_id3(dsf.DSF)

EDITS: dict[str, tuple[str, Callable[..., None]]] = {
    "ID3v1": ("a.mp3", id3v1),
    "ID3v2.3": ("a.mp3", id3v23),
    "ID3v2.4": ("a.mp3", id3v24),
    "APEv2 on an MP3": ("a.mp3", ape),
    "FLAC": ("a.flac", vorbis_flac),
    "Vorbis": ("a.ogg", vorbis),
    "Opus": ("a.opus", opus),
    "M4A": ("aac.m4a", m4a),
    "ALAC": ("alac.m4a", m4a),
    "WAV": ("a.wav", wav),
    "AIFF": ("a.aiff", aifc),
    "WavPack": ("whole.wv", ape),
    "TTA": ("whole.tta", id3v24),
    "WMA": ("second.wma", wma),
    "FLAC in MP4": ("flac.mp4", m4a),
    "ID3 on AAC": ("adts.aac", id3v24),
    "ID3 on AC-3": ("dolby.ac3", id3v24),
    "APEv2 on MP2": ("layer2.mp2", ape),
    "DSF": ("one bit.dsf", one_bit),
}
"""By the kind of tag: a file of `encoders`, and the edit."""


def edit_keeping_time(path: Path, edit: Callable[[Path], None]) -> None:
    """Edit a file and put its time of modification back, as some programs do."""
    before = path.stat()
    edit(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
