"""The sample descriptions of an MP4 track without what every program writes in its own way: bit rates, buffer sizes."""

_ENTRY_BYTES = 28
"""Of the fields of a sound's entry behind its box's head; QuickTime's later versions have more."""
_MORE_BYTES = {0: 0, 1: 16, 2: 36}
_NO_SETUP = {b"btrt"}
_DESCRIPTION, _DECODER = 3, 4


def codec_setup(stsd: bytes) -> bytes:
    """Return what a box `stsd` says of how its samples are decoded; all of it where it is not of the usual form."""
    try:
        return b"".join(_entry(entry) for entry in _boxes(stsd[8:]))
    except (IndexError, ValueError, KeyError):
        return stsd


def _entry(box: bytes) -> bytes:
    version = int.from_bytes(box[16:18], "big")
    fields = 8 + _ENTRY_BYTES + _MORE_BYTES[version]
    inner = [inner for inner in _boxes(box[fields:]) if inner[4:8] not in _NO_SETUP]
    return box[4:fields] + b"".join(_plain(each) if each[4:8] == b"esds" else each for each in inner)


def _boxes(data: bytes) -> list[bytes]:
    boxes, at = [], 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if not 8 <= length <= len(data) - at:
            raise ValueError("a box that does not fit")
        boxes.append(data[at : at + length])
        at += length
    return boxes


def _plain(esds: bytes) -> bytes:
    """Return an elementary stream's description with its bit rates and its buffer's size as zeros."""
    at = _content(esds, 12, _DESCRIPTION) + 3
    at = _content(esds, at, _DECODER)
    return esds[: at + 2] + bytes(11) + esds[at + 13 :]


def _content(data: bytes, at: int, tag: int) -> int:
    """Return where the content of the descriptor at a place begins, behind a length of one to four bytes."""
    if data[at] != tag:
        raise ValueError("another descriptor")
    at += 1
    while data[at] & 0x80:
        at += 1
    return at + 1
