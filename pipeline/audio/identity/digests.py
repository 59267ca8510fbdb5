"""The digest of a file's bytes and that of its sound, both from one reading of the file."""

import hashlib
import os
from dataclasses import dataclass
from io import FileIO

from pipeline.audio.boundaries.links import starts_of_links
from pipeline.audio.files import open_for_reading
from pipeline.audio.identity.formats import READ_BY_LENGTH, sound_parts
from pipeline.audio.identity.packets import packets_digest
from pipeline.audio.identity.parts import FileBytes, NotParsedError, Span
from pipeline.audio.identity.tag_blocks import untagged

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigests:
    """Two digests, 32 hex digits each: 128 bits of SHA-256."""

    file_hash: str
    """Of all bytes of the file."""
    sound_hash: str
    """Of its sound without tags, pictures and padding; empty where nothing can tell them apart."""

    @property
    def content_hash(self) -> str:
        """What the content is called where it is new: by its sound, else by all its bytes."""
        return self.sound_hash or self.file_hash


def file_digests(path: str) -> FileDigests:
    """Return both digests of a file, which is read once.

    SHA-256 because processors compute it in hardware. Memory does not grow with the file. Raises `MissingError`,
    `UnreadableError` or `TransientError`, as `pipeline.audio.files.open_for_reading` does; damage raises nothing.
    """
    with open_for_reading(path) as file:
        reading = _Reading(file, whole=True)
        sound_hash = reading.sound_hash()
        return FileDigests(file_hash=reading.file_hash(), sound_hash=sound_hash)


def sound_digest(path: str) -> str:
    """Return the digest of a file's sound alone, 32 hex digits; empty where nothing can tell it from the tags.

    What decides how the sound is decoded (rate, codec setup, channels) is part of it. Raises as `file_digests` does.
    """
    with open_for_reading(path) as file:
        return _Reading(file, whole=False).sound_hash()


class _Reading:
    """One pass over an open file, with a hash of everything where it is wanted and one of the sound."""

    def __init__(self, file: FileIO, *, whole: bool) -> None:
        self._descriptor = file.fileno()
        self._whole = hashlib.sha256() if whole else None
        self._at = 0
        """How far the hash of everything is."""
        self._buffer = memoryview(bytearray(_BLOCK_BYTES))

    def sound_hash(self) -> str:
        """Return the digest of the sound; empty where there is none."""
        try:
            try:
                digest = self._parts_digest()
            except NotParsedError:
                digest = self._with_further_files(packets_digest(self._descriptor))
        except NotParsedError:
            return ""
        return digest.hex()[:32]

    def file_hash(self) -> str:
        """Return the digest of all bytes, of which the rest is read now."""
        assert self._whole is not None, "asked for at the start"  # noqa: S101 - narrows the type
        while block := self._read(self._at, _BLOCK_BYTES):
            self._whole.update(block)
            self._at += len(block)
        return self._whole.hexdigest()[:32]

    def _parts_digest(self) -> bytes:
        """Return the digest of what the format's reader says is sound. Raises `NotParsedError`."""
        source = FileBytes(self._descriptor)
        name, parts = sound_parts(source)
        facts, sound, length = hashlib.sha256(f"{name}\n".encode()), hashlib.sha256(), 0
        for part in parts:
            if isinstance(part, Span):
                length += self._hash(Span(part.begin, min(part.end, source.size)), sound)
            else:
                facts.update(len(part).to_bytes(8, "big") + part)
        if not length:
            raise NotParsedError("no bytes of sound")
        digest = hashlib.sha256(facts.digest() + sound.digest() + length.to_bytes(8, "big")).digest()
        return self._with_further_files(digest) if name in READ_BY_LENGTH else digest

    def _with_further_files(self, digest: bytes) -> bytes:
        """Return the digest of a file's sound, given that of the first of the files that are joined in it."""
        starts = starts_of_links(self._descriptor)
        if not starts:
            return digest
        further = hashlib.sha256()
        self._hash(Span(starts[0], untagged(FileBytes(self._descriptor)).end), further)
        return hashlib.sha256(digest + further.digest()).digest()

    def _hash(self, span: Span, sound: "hashlib._Hash") -> int:
        """Add a span to the hash of the sound, and to that of everything what was not there yet; return its length."""
        at = span.begin
        if self._whole is not None:
            self._skip_to(span.begin)
        while at < span.end and (block := self._read(at, min(span.end - at, _BLOCK_BYTES))):
            sound.update(block)
            if self._whole is not None and at == self._at:
                self._whole.update(block)
                self._at += len(block)
            at += len(block)
        return at - span.begin

    def _skip_to(self, place: int) -> None:
        """Add what lies between the sound to the hash of everything."""
        assert self._whole is not None, "only then"  # noqa: S101 - narrows the type
        while self._at < place and (block := self._read(self._at, min(place - self._at, _BLOCK_BYTES))):
            self._whole.update(block)
            self._at += len(block)

    def _read(self, begin: int, length: int) -> memoryview:
        return self._buffer[: os.preadv(self._descriptor, [self._buffer[:length]], begin)]
