"""The standard streams of a command, of which none is taken for granted: closed, full, or with nobody at the other end.

A closed one is like `/dev/null`. Results that cannot be written end the command with one line. What goes to standard
error is progress, and work does not end because nobody can read how far it is: the command goes on, tries again with
the next line, and has exit status 1 at its end.
"""

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from pipeline.errors import ChordalError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

INPUT, OUTPUT, ERROR = 0, 1, 2
"""The descriptors of the standard streams."""


class OutputError(ChordalError):
    """The results of a command cannot be written."""


class ReaderGoneError(ChordalError):
    """Whoever read the results has gone, as `head` does, which is no error."""


class _Stream(io.FileIO):
    """A standard stream for writing; the first reason why that was not possible is kept."""

    failure: OSError | None = None

    def write(self, data: "ReadableBuffer") -> int:
        try:
            _write_all(self, memoryview(data).cast("B"))
        except OSError as error:
            self.failure = self.failure or error
            self._fail()
        return memoryview(data).nbytes

    def _fail(self) -> None:
        """Do what follows from a write that failed."""


class _Results(_Stream):
    """Standard output: the first write that fails ends the command, and what comes after it goes nowhere."""

    def _fail(self) -> None:
        # Python writes what is left again at its end, and would complain once more.
        _open_null(self.fileno())
        self.check()

    def check(self) -> None:
        """Raise `OutputError` or `ReaderGoneError` when something could not be written."""
        if isinstance(self.failure, BrokenPipeError):
            raise ReaderGoneError("standard output: nobody reads it any more") from self.failure
        if self.failure is not None:
            raise OutputError(f"standard output: cannot be written ({_reason(self.failure)})") from self.failure


class _Progress(_Stream):
    """Standard error: a write that fails is kept in mind, and the command goes on."""

    def check(self) -> None:
        """End the process with status 1 when something could not be written, and somebody might have read it."""
        if self.failure is None or isinstance(self.failure, BrokenPipeError):
            return
        # It may be writable again by now.
        sys.stderr.write(f"chordal: standard error: could not be written for some time ({_reason(self.failure)})\n")
        sys.stderr.flush()
        sys.exit(1)


def _write_all(file: io.FileIO, data: memoryview) -> None:
    # Nothing at all is not tried, as libraries do to see what a stream takes: some devices refuse even that.
    while data:
        written = io.FileIO.write(file, data)
        if written is None:
            # Another program made the terminal or pipe non-blocking, and it is full for the moment.
            select.select((), (file,), ())
        data = data[written or 0 :]


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Give a command streams that can be written to, and write at its end what is left.

    Raises `OutputError` or `ReaderGoneError` when the results cannot be written, and ends the process with status 1
    when only the progress could not.
    """
    for number in (INPUT, OUTPUT, ERROR):
        if not _is_open(number):
            _open_null(number)  # or the next file would have this number, and be written to
    sys.stdin = sys.stdin or os.fdopen(INPUT, closefd=False)
    given = sys.stdout, sys.stderr
    sys.stdout = _stream(sys.stdout, OUTPUT, _Results)
    sys.stderr = _stream(sys.stderr, ERROR, _Progress)
    if sys.stdout is not given[0]:
        sys.__stdout__ = sys.stdout  # type: ignore[misc,assignment]
    if sys.stderr is not given[1]:
        sys.__stderr__ = sys.stderr  # type: ignore[misc,assignment] # to which Celery's workers log
    try:
        yield
    except SystemExit as end:
        if end.code:
            raise  # says more than that something could not be written
    finally:
        _end(sys.stdout)
    _end(sys.stderr)


def treat_output_as_progress() -> None:
    """Let a command that has no results, but tells on standard output what it does, go on when it cannot be written."""
    sys.stdout.flush()
    given = sys.stdout
    sys.stdout = _stream(given, OUTPUT, _Progress)
    if sys.__stdout__ is given:
        sys.__stdout__ = sys.stdout  # type: ignore[misc,assignment]


def _end(stream: TextIO) -> None:
    """Write what is left of a stream, and raise what came of it."""
    stream.flush()
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if isinstance(raw, (_Results, _Progress)):
        raw.check()


def _stream(stream: TextIO | None, number: int, kind: type[_Results | _Progress]) -> TextIO:
    """Return a stream over a descriptor; another one that took the place of Python's own stays as it is."""
    if stream is not None and not _is_pythons_own(stream, number):
        return stream
    raw = kind(number, "wb", closefd=False)
    is_unbuffered = getattr(stream, "write_through", False)
    return io.TextIOWrapper(
        raw if is_unbuffered else io.BufferedWriter(raw),  # as Python does for `-u`
        encoding=stream.encoding if stream is not None else "utf-8",
        # A name that a terminal's encoding does not have is escaped.
        errors="backslashreplace",
        line_buffering=number == ERROR or raw.isatty(),
        write_through=is_unbuffered,
    )


def _is_pythons_own(stream: TextIO, number: int) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == number
    except (OSError, ValueError):
        return False


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _open_null(number: int) -> None:
    """Let a descriptor be `/dev/null`, in the processes that this one starts too."""
    opened = os.open(os.devnull, os.O_RDWR)
    if opened == number:
        os.set_inheritable(number, True)
    else:
        os.dup2(opened, number)
        os.close(opened)
