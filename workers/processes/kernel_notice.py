"""Why a first run waits: the line of a worker's log that says that it compiles the kernels."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

COMPILING = "compiling kernels"
"""How what a worker writes begins, see `pipeline.kernels.compilation`, whose import costs Numba's."""

POLL_S = 0.5


@contextmanager
def kernel_notice(home: Path, show: Callable[[str], None]) -> Iterator[None]:
    """In this context show the line once in which a worker of this home that starts meanwhile says that it compiles."""
    log = home / "logs" / "extract.log"
    begun = _size(log)
    ended = threading.Event()

    def follow() -> None:
        start = begun
        while not ended.wait(POLL_S):
            lines = _lines_from(log, start)
            start += len(lines)
            _, found, rest = lines.decode("utf-8", "replace").partition(COMPILING)
            if found:
                show(found + rest.partition("\n")[0])
                return

    follower = threading.Thread(target=follow, name="kernel-notice", daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0


def _lines_from(log: Path, start: int) -> bytes:
    """Return the whole lines behind a position of a log."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            data = file.read()
    except OSError:
        return b""
    return data[: data.rfind(b"\n") + 1]
