"""The logs of processes that run for months: put aside when they are long, while they are written to."""

import os
import shutil
import tempfile
from pathlib import Path

LOG_BYTES = 10_000_000
"""How long a log may be."""


def put_aside(folder: Path, *, longest: int = LOG_BYTES) -> list[Path]:
    """Put the content of each log of a folder that is longer than `longest` bytes into `NAME.log.1`, in place of what
    was there; return which, and go on without the folder or a log that is not there.

    Whoever writes to a log holds it open to append: it goes on at the new beginning. So a home has two of each at most.
    Raises `OSError` when there is no room to copy one; it then stays as it is.
    """  # noqa: D205 - one sentence
    long = []
    for path in folder.glob("*.log"):
        try:
            if path.stat().st_size > longest:
                _put_aside(path)
                long.append(path)
        except FileNotFoundError:
            continue
    return long


def _put_aside(path: Path) -> None:
    # Hidden and renamed when it is whole: of a copy that was broken off nobody should take the end for the log's.
    number, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    copy = Path(name)
    try:
        with path.open("r+b") as log, os.fdopen(number, "wb") as aside:
            shutil.copyfileobj(log, aside)
            aside.flush()
            copy.chmod(path.stat().st_mode & 0o777)
            copy.replace(path.with_suffix(".log.1"))
            # What came meanwhile; after that a line is lost only when it is written between two system calls.
            while rest := log.read():
                aside.write(rest)
                aside.flush()
            log.truncate(0)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
