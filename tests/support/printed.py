"""What a command prints while it runs, for tests that wait for a line of it."""

import subprocess
import threading
from typing import IO


class Printed:
    """The lines of standard error of a running command, read as they come; `end` waits for its end."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        self.lines: list[str] = []
        self._process = process
        self._thread = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self._thread.start()

    def has(self, *words: str) -> bool:
        """Return whether one line has all of some words."""
        return any(all(word in line for word in words) for line in self.lines)

    def end(self, *, within_s: float = 120.0) -> str:
        """Wait for the end of the command and return what it wrote to standard output, which fits into a pipe."""
        assert self._process.stdout is not None
        self._process.wait(within_s)
        self._thread.join(within_s)
        return self._process.stdout.read()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.append(line.rstrip("\n"))
