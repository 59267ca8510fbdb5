"""Files that a command writes where somebody names one."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pipeline.errors import ChordalError, UsageError
from pipeline.text import printable
from workers.cli.lookup import output_path


@contextmanager
def output_file(out: str | None, *, force: bool, option: str = "--out") -> Iterator[IO[str]]:
    """Give the file of an option to write into, standard output without one; a file is there whole or not at all.

    Raises `UsageError` when the file is there and shall not be replaced, or cannot be written.
    """
    from storage import durable

    if out is None:
        yield sys.stdout
        return
    target = require_writable(out, force=force, option=option)
    shown = printable(str(target))
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except ChordalError:
        raise  # some of them are the system's errors too
    except OSError as error:
        reason, mend = durable.reason_and_mend(error)
        mend = f"{mend}, or name" if mend else "name"
        raise UsageError(f"{option} {shown}: cannot be written ({reason}); {mend} another file") from error
    finally:
        with suppress(OSError):  # as on a file system that can only be read, where nothing was written
            part.unlink(missing_ok=True)


def require_writable(out: str, *, force: bool, option: str = "--out") -> Path:
    """Return the file of an option, before the work whose result it takes.

    Raises `UsageError` when it is there and shall not be replaced, or has no folder.
    """
    target = output_path(out, option)
    shown = printable(str(target))
    if target.is_dir():
        raise UsageError(f"{option} {shown}: a folder; name a file in it")
    if target.exists() and not force:
        raise UsageError(f"{option} {shown}: there already; name another file, or replace it with --force")
    if not target.parent.is_dir():
        raise UsageError(f"{option} {shown}: cannot be written (its folder is not there); make it, or name another")
    return target
