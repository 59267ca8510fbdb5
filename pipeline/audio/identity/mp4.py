"""MP4, M4A and QuickTime: the samples of the sound tracks in the order of the file, wherever `moov` and they lie."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.arrays import Int64
from pipeline.audio.identity.mp4_setup import codec_setup
from pipeline.audio.identity.parts import FileBytes, NotParsedError, Parts, Span

_MAX_TABLE_BYTES = 256 << 20
_FACTS = (b"stsd", b"stts", b"ctts", b"stsz", b"stz2", b"sgpd", b"sbgp")
"""What of a track's sample table decides how it is decoded; the rest says where the samples lie, which moves."""


class _Box(NamedTuple):
    name: bytes
    begin: int
    """Of its content."""
    end: int

    def content(self, file: FileBytes) -> bytes:
        length = self.end - self.begin
        if length > _MAX_TABLE_BYTES:
            raise NotParsedError(f"a table {self.name!r} of {length} bytes")
        return file.exact(self.begin, length)


def mp4_parts(file: FileBytes, sound: Span) -> Parts:
    """Yield the parts of an MP4 file."""
    top = list(_boxes(file, Span(sound.begin, file.size)))
    tracks = [
        track
        for moov in top
        if moov.name == b"moov"
        for track in _boxes(file, Span(moov.begin, moov.end))
        if track.name == b"trak" and _handler(file, track) == b"soun"
    ]
    if not tracks:
        raise NotParsedError("no sound track")
    chunks: list[tuple[Int64, Int64] | None] = []
    for track in tracks:
        yield from _facts(file, track)
        chunks.append(_chunks(file, track))
    fragments = [box for box in top if box.name == b"moof"]
    for fragment in fragments:
        yield from (run.content(file) for run in _find_all(file, fragment, (b"traf", b"trun")))
    ranges = [found for found in chunks if found is not None]
    if fragments or len(ranges) < len(chunks):
        yield from (Span(box.begin, box.end) for box in top if box.name == b"mdat")
    else:
        yield from _merged(*(np.concatenate(column) for column in zip(*ranges, strict=True)))


def _boxes(file: FileBytes, within: Span) -> Iterator[_Box]:
    at, end = within.begin, min(within.end, file.size)
    while at + 8 <= end:
        length, header = file.number(at, 4, big=True), 8
        if length == 1:
            length, header = file.number(at + 8, 8, big=True), 16
        elif length == 0:  # to the end of the file
            length = within.end - at
        if length < header:
            raise NotParsedError("a box without a length")
        yield _Box(file.exact(at + 4, 4), at + header, at + length)
        at += length


def _find_all(file: FileBytes, box: _Box, path: tuple[bytes, ...]) -> Iterator[_Box]:
    """Yield the boxes at a path of names below a box."""
    for inner in _boxes(file, Span(box.begin, box.end)):
        if inner.name == path[0]:
            if len(path) == 1:
                yield inner
            else:
                yield from _find_all(file, inner, path[1:])


def _handler(file: FileBytes, track: _Box) -> bytes:
    handler = next(_find_all(file, track, (b"mdia", b"hdlr")), None)
    return file.exact(handler.begin + 8, 4) if handler is not None else b""


def _facts(file: FileBytes, track: _Box) -> Parts:
    """Yield the facts of a track: time base, edits (an encoder's delay among them), codec setup, sizes, durations."""
    for header in _find_all(file, track, (b"mdia", b"mdhd")):
        is_long = file.exact(header.begin, 1) == b"\1"
        yield file.exact(header.begin + (20 if is_long else 12), 12 if is_long else 8)  # behind the dates
    for edits in _find_all(file, track, (b"edts", b"elst")):
        yield b"elst" + edits.content(file)
    for table in _find_all(file, track, (b"mdia", b"minf", b"stbl")):
        for box in _boxes(file, Span(table.begin, table.end)):
            if box.name in _FACTS:
                content = box.content(file)
                yield box.name + (codec_setup(content) if box.name == b"stsd" else content)


def _chunks(file: FileBytes, track: _Box) -> tuple[Int64, Int64] | None:
    """Return where the chunks of a track begin and how long they are; None where no table of sizes says so.

    Of uncompressed sound QuickTime counts frames as samples of a size that is not theirs.
    """
    found = {
        box.name: box
        for table in _find_all(file, track, (b"mdia", b"minf", b"stbl"))
        for box in _boxes(file, Span(table.begin, table.end))
    }
    places = found.get(b"stco") or found.get(b"co64")
    if places is None or not {b"stsz", b"stsc"} <= found.keys():
        return None
    sizes = found[b"stsz"].content(file)
    if int.from_bytes(sizes[4:8], "big"):
        return None
    sample_bytes = np.frombuffer(sizes, ">u4", offset=12).astype(np.int64)
    dtype = ">u8" if places.name == b"co64" else ">u4"
    begins = np.frombuffer(places.content(file), dtype, offset=8).astype(np.int64)
    runs = np.frombuffer(found[b"stsc"].content(file), ">u4", offset=8).astype(np.int64).reshape(-1, 3)
    if not len(begins) or not len(runs):
        return begins, begins
    lengths = np.diff([*(runs[:, 0] - 1).tolist(), len(begins)])
    if runs[0, 0] != 1 or lengths.min() < 0:
        raise NotParsedError("a table of chunks that does not ascend")
    ends = np.minimum(np.cumsum(np.repeat(runs[:, 1], lengths)), len(sample_bytes))
    until = np.concatenate([[0], np.cumsum(sample_bytes)])[ends]
    return begins, np.diff(until, prepend=0)


def _merged(begins: Int64, lengths: Int64) -> Iterator[Span]:
    """Yield the chunks in the order of the file, neighbours as one."""
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], (begins + lengths)[order]
    if not len(begins):
        return
    first = np.concatenate([[True], begins[1:] != ends[:-1]])
    last = np.concatenate([first[1:], [True]])
    yield from map(Span, begins[first].tolist(), ends[last].tolist())
