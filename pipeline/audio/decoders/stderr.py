"""What a C library prints to the process's standard error, kept instead of printed."""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.text import printable

# mpg123, inside libsndfile, prints its warnings itself.
_DECODER_LINE = re.compile(r"^(?:\[src/libmpg123/|Note: |Warning: )")

# One process has one standard error: two threads must not restore each other's redirection.
_stderr_lock = threading.Lock()


class StderrCapture:
    """What the decoder of one file printed; lines of anybody else are passed on."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `close`
        self._first = ""
        self._count = 0

    @contextmanager
    def redirect(self) -> Iterator[None]:
        """Redirect standard error for the length of a call into the library."""
        with _stderr_lock:
            try:
                original = os.dup(2)
            except OSError:  # a process without standard error has nothing to keep clean
                yield
                return
            os.dup2(self._file.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(original, 2)
                os.close(original)
                if os.lseek(self._file.fileno(), 0, os.SEEK_CUR):
                    self._sort()

    def describe(self) -> str:
        """Return the first line the decoder printed and how many followed; empty when it printed none."""
        if not self._count:
            return ""
        more = f" (and {self._count - 1} more)" if self._count > 1 else ""
        return f"the decoder says: {printable(self._first)}{more}"

    def close(self) -> None:
        """Delete the file of the captured lines."""
        self._file.close()

    def _sort(self) -> None:
        """Count the decoder's lines, write all others where they were meant to go, empty the file."""
        self._file.seek(0)
        for line in self._file:
            text = line.decode("utf-8", "replace").strip()
            if _DECODER_LINE.match(text):
                self._first = self._first or text
                self._count += 1
            elif text:
                os.write(2, line)
        self._file.seek(0)
        self._file.truncate()
