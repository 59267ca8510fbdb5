"""FFmpeg's log, kept for the note instead of printed."""

from collections.abc import Iterator
from contextlib import contextmanager

import av

from pipeline.audio.decoders.base import in_a_sentence
from pipeline.text import printable


class LibavLog:
    """The errors among FFmpeg's log messages of one file: the first one and how many."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, str, str]] = []
        self._first = ""
        self._count = 0

    @contextmanager
    def capture(self) -> Iterator[None]:
        """Keep this thread's messages for the length of a call."""
        av.logging.set_level(av.logging.ERROR)
        # Else a message that was the last file's last one is held back, and logged with the next file.
        av.logging.set_skip_repeated(False)
        try:
            with av.logging.Capture() as self._waiting:
                yield
        finally:
            av.logging.set_level(None)
            self.drain()

    def drain(self) -> None:
        """Count the captured messages and drop them: a damaged file has thousands of them."""
        for _level, _name, message in self._waiting:
            if text := printable(in_a_sentence(message)):
                self._first = self._first or text
                self._count += 1
        self._waiting.clear()

    def add(self, reason: str) -> None:
        """Count an error that came with a reason and may have come without a message."""
        self.drain()
        if not self._count:
            self._first, self._count = reason, 1

    def clear(self) -> None:
        """Drop the messages so far."""
        self.drain()
        self._first, self._count = "", 0

    def first(self) -> str:
        """Return the first message, empty when there was none or it only names a format outside the whitelist."""
        self.drain()
        return "" if "whitelist" in self._first else self._first

    def describe(self) -> str:
        """Return the first message and how many followed, for the note; empty when there was none."""
        more = f" (and {self._count - 1:,} more)" if self._count > 1 else ""
        return f"the decoder says: {self._first}{more}" if self._count else ""
