"""The guard of a command that is told: a program of its own, which ends the command whatever becomes of who tells it.

Its standard input is the command's. It ends the command with all its processes after a time limit, and when the pipe of
whoever started it closes. It prints a line, how that ended, and the end of what the command wrote to standard error;
its exit status is the command's.
"""

import errno
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

LATE, UNSTARTED, ENDED = "late", "unstarted", "ended"
"""How it ended: it took too long, could not be started, or by itself; any exit status may be the command's own."""
FAILED = 1
TAIL_BYTES = 2000
POLL_S = 0.05


def guard(limit_s: float, lifeline: int, command: Sequence[str]) -> int:
    """Run a command for at most `limit_s` seconds, and return its exit status."""
    try:
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    except OSError as error:
        sys.stdout.write(f"{UNSTARTED}\n{_why_not(error, command[0])}")
        return FAILED
    assert running.stderr is not None  # noqa: S101 - narrows the type
    deadline, tail, open_files = time.monotonic() + limit_s, b"", [lifeline, running.stderr.fileno()]
    while running.poll() is None and time.monotonic() < deadline and lifeline in open_files:
        ready, _, _ = select.select(open_files, [], [], POLL_S)
        for file in ready:
            data = os.read(file, 65536)
            if not data:
                open_files.remove(file)
            elif file != lifeline:
                tail = (tail + data)[-TAIL_BYTES:]
    status, end = running.poll(), ENDED
    if status is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        status, end = FAILED, LATE
    elif running.stderr.fileno() in open_files and select.select([running.stderr], [], [], 0)[0]:
        tail = (tail + os.read(running.stderr.fileno(), 65536))[-TAIL_BYTES:]
    sys.stdout.buffer.write(b"%b\n%b" % (end.encode("ascii"), tail))
    return status if status >= 0 else 128 - status


def _why_not(error: OSError, program: str) -> str:
    """Return in words why a program was not started; of a script it may be what its first line names."""
    if error.errno == errno.ENOEXEC:
        return "it is no program; a script begins with a line such as #!/bin/sh"
    if error.errno == errno.ENOENT and os.path.exists(program):  # noqa: PTH110 - no import that is not needed
        return "the program that its first line names is not there"
    return error.strerror or str(error)


if __name__ == "__main__":
    sys.exit(guard(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
