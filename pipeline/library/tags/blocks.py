"""Blocks of tags by format: FLAC, Ogg, MP4, ASF, DSD."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from mutagen import asf, dsdiff, dsf, flac, id3, mp4, oggflac, oggopus, oggspeex, oggtheora, oggvorbis

from pipeline.library.tags.chunks import is_chunked, read_chunks
from pipeline.library.tags.id3 import texts_of
from pipeline.library.tags.names import TagBlock
from pipeline.library.tags.tags import fold_name
from pipeline.library.tags.texts import MOST_BYTES, plain_text

Reader = Callable[[BinaryIO, int], list[TagBlock]]
"""Reads the blocks of an open file whose format begins at a byte."""

_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")

_MP4_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})

_OGG = {
    b"\x01vorbis": oggvorbis.OggVorbis,
    b"OpusHead": oggopus.OggOpus,
    b"Speex   ": oggspeex.OggSpeex,
    b"\x7fFLAC": oggflac.OggFLAC,
    b"\x80theora": oggtheora.OggTheora,
}
"""By the first bytes of a stream: who reads its comments. Those of the sound come before those of a film."""

_OGG_HEADERS_BYTES = 1 << 16
_FLAC_COMMENT = 4

# mutagen's own words on types are few and partly wrong.
_COMMENTS: Any = flac.VCFLACDict
_MP4: Any = mp4.MP4
_ASF: Any = asf.ASF
_BYTES: Any = getattr(asf, "ASFByteArrayAttribute")  # noqa: B009 -- which it does not export by name


def read_flac(file: BinaryIO, start: int) -> list[TagBlock]:
    """Return the comments of a FLAC file that begins at byte `start`."""
    at, is_last = start + 4, False
    while not is_last:
        file.seek(at)
        header = file.read(4)
        if len(header) < 4:
            break
        is_last, kind, length = bool(header[0] & 0x80), header[0] & 0x7F, int.from_bytes(header[1:], "big")
        if kind == _FLAC_COMMENT:
            # To its end, as the length of one that is over 16 MiB is wrong.
            block = TagBlock.of_words(_COMMENTS(_Bounded(file, MOST_BYTES)))
            if block:  # some programs leave an empty one in front
                return [block]
        at += 4 + length
    return []


class _Bounded:
    """A file from where it stands, that much of it at most."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int) -> bytes:
        """Return the next bytes. Raises `MemoryError`, as a parser expects it, for more than are left."""
        if size > self._left:
            raise MemoryError
        self._left -= size
        return self._file.read(size)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._file.tell()


def read_ogg(file: BinaryIO, _start: int = 0) -> list[TagBlock]:
    """Return the comments of the streams of an Ogg file, those of the sound first."""
    file.seek(0)
    head = file.read(_OGG_HEADERS_BYTES)
    kinds = [kind for mark, kind in _OGG.items() if mark in head]
    return [block for kind in kinds for block in _of_pairs(lambda kind=kind: kind(_rewound(file)).tags)]


def _of_pairs(read: Any) -> Iterator[TagBlock]:
    try:
        tags = read()
    except Exception:  # noqa: BLE001 -- mutagen's parsers raise anything; another stream may say something
        return
    yield TagBlock.of_words(tags or ())


def _rewound(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file


def read_mp4(file: BinaryIO, _start: int = 0) -> list[TagBlock]:
    """Return the texts of the atoms of an MP4 file, those with a free name by their name alone."""
    codes: dict[str, list[str]] = {}
    words: dict[str, list[str]] = {}
    for name, values in (_MP4(_rewound(file)).tags or {}).items():
        texts = list(_atom_texts(values if isinstance(values, list) else [values]))
        if name.startswith("----:"):
            words.setdefault(fold_name(name.rpartition(":")[2]), []).extend(texts)
        elif not name.startswith("\0"):  # numbers of names that stand elsewhere, which FFmpeg reads
            codes.setdefault(name.lower(), []).extend(texts)
    return [TagBlock(codes=codes, words=words)]


def _atom_texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, mp4.MP4FreeForm):
            is_utf16 = value.dataformat == mp4.AtomDataType.UTF16
            yield bytes(value).decode("utf-16-be", "replace") if is_utf16 else plain_text(bytes(value))
        elif isinstance(value, tuple):  # a number and of how many
            yield str(value[0])
        elif isinstance(value, str | int):
            yield str(value)


def read_asf(file: BinaryIO, _start: int = 0) -> list[TagBlock]:
    """Return the texts of an ASF file (WMA); `WM/Genre` is a genre."""
    pairs = _ASF(_rewound(file)).tags or ()
    texts = ((name[3:] if name.upper().startswith("WM/") else name, value) for name, value in pairs)
    return [TagBlock.of_words((name, str(value)) for name, value in texts if not isinstance(value, _BYTES))]


def read_dsd(file: BinaryIO, _start: int = 0) -> list[TagBlock]:
    """Return the frames of ID3 in a DSF or DSDIFF file."""
    kind = dsf.DSF if _rewound(file).read(4) == b"DSD " else dsdiff.DSDIFF
    tags: Any = kind(_rewound(file)).tags
    return [texts_of(tags)] if isinstance(tags, id3.ID3) else []


_FORMATS: tuple[tuple[Callable[[bytes], bool], Reader], ...] = (
    (lambda head: head.startswith(b"fLaC"), read_flac),
    (is_chunked, read_chunks),
    (lambda head: head.startswith(b"OggS"), read_ogg),
    (lambda head: head[4:8] in _MP4_BOXES, read_mp4),
    (lambda head: head.startswith(_ASF_HEADER), read_asf),
    (lambda head: head[:4] in {b"DSD ", b"FRM8"}, read_dsd),
)


def reader_of(head: bytes) -> Reader | None:
    """Return who reads the tags that only the format of a file has that begins so; None where nobody does here."""
    return next((read for matches, read in _FORMATS if matches(head)), None)
