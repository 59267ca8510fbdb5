"""The tags before and behind a sound, in any order: ID3v2, also several and appended, ID3v1, APEv2 and Lyrics3."""

from collections.abc import Callable

from pipeline.audio.identity.parts import FileBytes, Span

_ZEROS_BYTES = 1 << 20
"""How many zero bytes behind a tag are taken for its padding at most."""
_LYRICS3_V1_BYTES = 5_100 + 9 + 11


def untagged(file: FileBytes) -> Span:
    """Return what lies between the tags at both ends of a file; all of it where their lengths cannot be right."""
    begin = _behind_leading(file)
    if begin >= file.size:
        begin = 0
    return Span(begin, _before_trailing(file, begin))


def _behind_leading(file: FileBytes) -> int:
    """Return where the first byte lies that is in no tag at the beginning, nor its padding."""
    begin = 0
    while length := _id3v2_length(file, begin) or _ape_header_length(file, begin):
        begin += length
        begin += _zeros(file, begin)
    return begin


def _before_trailing(file: FileBytes, begin: int) -> int:
    """Return where the tags at the end begin."""
    end = file.size
    kinds: tuple[Callable[[FileBytes, int], int], ...] = (_id3v1, _ape_footer, _lyrics3, _id3v2_footer)
    while length := next((found for kind in kinds if (found := kind(file, end)) and end - found > begin), 0):
        end -= length
    return end


def _syncsafe(data: bytes) -> int | None:
    """Return a number of four bytes with seven bits each; None when it is none."""
    if len(data) < 4 or max(data) > 0x7F:
        return None
    return data[0] << 21 | data[1] << 14 | data[2] << 7 | data[3]


def _id3v2_length(file: FileBytes, begin: int) -> int:
    head = file.read(begin, 10)
    if head[:3] != b"ID3" or len(head) < 10 or 0xFF in head[3:5]:
        return 0
    size = _syncsafe(head[6:10])
    footer = 10 if head[5] & 0x10 else 0
    return 0 if size is None else 10 + size + footer


def _id3v2_footer(file: FileBytes, end: int) -> int:
    foot = file.read(end - 10, 10)
    size = _syncsafe(foot[6:10]) if foot[:3] == b"3DI" else None
    return 0 if size is None else size + 20


def _ape_header_length(file: FileBytes, begin: int) -> int:
    head = file.read(begin, 32)
    if head[:8] != b"APETAGEX" or len(head) < 32:
        return 0
    return 32 + int.from_bytes(head[12:16], "little")


def _ape_footer(file: FileBytes, end: int) -> int:
    foot = file.read(end - 32, 32)
    if foot[:8] != b"APETAGEX" or len(foot) < 32:
        return 0
    has_header = foot[23] & 0x80
    return int.from_bytes(foot[12:16], "little") + (32 if has_header else 0)


def _id3v1(file: FileBytes, end: int) -> int:
    if file.read(end - 128, 3) != b"TAG":
        return 0
    return 128 + (227 if file.read(end - 128 - 227, 4) == b"TAG+" else 0)


def _lyrics3(file: FileBytes, end: int) -> int:
    mark = file.read(end - 9, 9)
    if mark == b"LYRICS200":
        digits = file.read(end - 15, 6)
        return int(digits) + 15 if digits.isdigit() else 0
    if mark == b"LYRICSEND":
        length = min(_LYRICS3_V1_BYTES, end)
        at = file.read(end - length, length).rfind(b"LYRICSBEGIN")
        return length - at if at >= 0 else 0
    return 0


def _zeros(file: FileBytes, begin: int) -> int:
    """Return how many zero bytes there are from a place on, which some programs leave behind a tag."""
    zeros = 0
    while zeros < _ZEROS_BYTES:
        data = file.read(begin + zeros, 4_096)
        found = len(data) - len(data.lstrip(b"\0"))
        zeros += found
        if not data or found < len(data):
            break
    return zeros
