"""The parts of a file that are its sound, and reading a file at any place."""

import os
from collections.abc import Iterator
from typing import NamedTuple

_WINDOW_BYTES = 65_536


class Span(NamedTuple):
    """Bytes of the file that are sound, from `begin` to before `end`; the file may end earlier."""

    begin: int
    end: int


Parts = Iterator[bytes | Span]
"""What a sound consists of, in order: facts that decide how it is decoded, and spans of the file."""


class NotParsedError(Exception):
    """The bytes are not as the format wants them, or of a form that is not known here."""


class FileBytes:
    """An open file, to be read in small pieces at any place. Raises `OSError`, and `NotParsedError` at its end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._window = b""
        self._window_begin = 0
        self.size = os.fstat(descriptor).st_size

    def read(self, begin: int, length: int) -> bytes:
        """Return up to `length` bytes from a place on; fewer at the end of the file."""
        at = begin - self._window_begin
        if not 0 <= at <= len(self._window) - length:
            self._window = os.pread(self._descriptor, max(length, _WINDOW_BYTES), begin) if begin >= 0 else b""
            self._window_begin, at = begin, 0
        return self._window[at : at + length]

    def exact(self, begin: int, length: int) -> bytes:
        """Return `length` bytes from a place on."""
        data = self.read(begin, length)
        if len(data) < length:
            raise NotParsedError(f"the file ends within the {length} bytes at {begin}")
        return data

    def number(self, begin: int, length: int, *, big: bool = False) -> int:
        """Return an unsigned number of `length` bytes."""
        return int.from_bytes(self.exact(begin, length), "big" if big else "little")
