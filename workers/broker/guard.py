"""The guard of the embedded broker: a program of its own, which starts at once since it imports no other of ours."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

AT_ONCE_S = 1.0
STARTS = 2
"""How often in a row the server may end at once, by itself, before it is given up: it cannot start here."""
LOG = "valkey.log"


def guard(data: str, scrap: str, server: Sequence[str]) -> None:
    """Run the server in its data folder until standard input closes or a SIGTERM comes, again when it dies.

    Whoever holds the other end of standard input reads a byte there when the server has come up. At the end the folder
    `scrap` is removed, if one is named. Ends with a line and status 1 when the server cannot start.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())

    def watch() -> None:
        with suppress(OSError):  # an error, when the other end goes before it has read that the server is up
            while os.read(0, 4096):
                pass
        ended.set()

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
    failures, is_up = 0, False
    running, start_s = _started(data, server)
    while not ended.wait(0.2):
        if not is_up and running.poll() is None and time.monotonic() - start_s > AT_ONCE_S:
            is_up = True
            with suppress(OSError):
                os.write(0, b"r")
        if running.poll() is not None:
            ended_at_once = running.returncode > 0 and time.monotonic() - start_s < AT_ONCE_S
            failures = failures + 1 if ended_at_once else 0
            if failures >= STARTS:
                break
            running, start_s = _started(data, server)
    running.kill()  # nothing in it is needed any more
    running.wait()
    if failures >= STARTS:
        sys.exit(f"chordal: its server ended with status {running.returncode} as it started: {_last_line(data)}")
    if scrap:
        shutil.rmtree(scrap, ignore_errors=True)


def _started(data: str, server: Sequence[str]) -> tuple["subprocess.Popen[bytes]", float]:
    return subprocess.Popen(server, cwd=data, stdin=subprocess.DEVNULL), time.monotonic()


def _last_line(data: str) -> str:
    """Return the last line that the server wrote to its log."""
    try:
        with open(os.path.join(data, LOG), errors="replace") as log:  # noqa: PTH118, PTH123 - pathlib takes time
            return log.read()[-500:].strip().rpartition("\n")[2]
    except OSError as error:
        return str(error)


if __name__ == "__main__":
    guard(sys.argv[1], sys.argv[2], sys.argv[3:])
