"""Writing one family into one file: streamed, whole or not at all, never over another file unasked."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value
from storage import durable
from storage.exchange.arrow import CsvFile, ParquetFile
from storage.exchange.blocks import Source, Writer
from storage.exchange.hdf5 import Hdf5File
from storage.exchange.npz import NpzFile
from storage.features.reader import Features

FORMATS: dict[str, Callable[[Path, Source], Writer]] = {
    "parquet": ParquetFile,
    "csv": CsvFile,
    "npz": NpzFile,
    "h5": Hdf5File,
}
"""What makes a file of each format; the names are the files' extensions too."""

BLOCK_BYTES = 8 << 20
"""How many bytes of rows are in memory at once."""


class Exported(Value, frozen=True, kw_only=True):
    """A file that was written."""

    path: str
    family: str
    """The family's key."""
    tracks: int
    rows: int
    size_bytes: int


def export(
    features: Features, family: str, path: Path, *, form: str, replace: bool = False, block_bytes: int = BLOCK_BYTES
) -> Exported:
    """Write all rows of a family into a file, with labels, groups and units.

    The memory is that of a block and of some 100 bytes a track, whatever the number of rows. The file gets its name
    when it is whole; what went wrong leaves nothing behind. Raises `UsageError` for a form that is not in `FORMATS`, a
    family that is not stored, or a file that is there already unless `replace`; `StoreError` when it cannot be read
    or written.
    """
    shown = printable(str(path))
    if form not in FORMATS:
        raise UsageError(f"format {printable(form)}: not known; one of {', '.join(FORMATS)}")
    _check_free(path, replace=replace)
    source = Source(features, family)
    written = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with durable.store_errors(path, "be written"):
            _write(FORMATS[form], written, source, block_bytes)
            durable.sync_path(written)
            size_bytes = written.stat().st_size
            _check_free(path, replace=replace)
            written.replace(path)
            durable.sync_path(path.parent)
    finally:
        written.unlink(missing_ok=True)
    return Exported(path=shown, family=source.spec.key, tracks=source.tracks, rows=source.rows, size_bytes=size_bytes)


def _write(make: Callable[[Path, Source], Writer], path: Path, source: Source, block_bytes: int) -> None:
    path.unlink(missing_ok=True)  # of a process with our number that died
    file = make(path, source)
    try:
        for block in source.blocks(block_bytes=block_bytes):
            file.add(block)
    except BaseException:
        # What cannot be written cannot be closed either; the first error tells why.
        with suppress(OSError, RuntimeError, ValueError):
            file.close()
        raise
    file.close()


def _check_free(path: Path, *, replace: bool) -> None:
    shown = printable(str(path))
    if path.is_dir():
        raise UsageError(f"{shown}: is a folder; name a file in it")
    if path.exists() and not replace:
        raise UsageError(f"{shown}: is there already; name another file, or let it be replaced")
    if not path.parent.is_dir():
        raise UsageError(f"{shown}: there is no folder {printable(str(path.parent))}; make it first")
