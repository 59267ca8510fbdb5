"""Writing one family into one file: streamed, whole or not at all, and over an existing file only with `replace`."""

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
from storage.features.reader import BLOCK_BYTES, Features

FORMATS: dict[str, Callable[[Path, Source], Writer]] = {
    "parquet": ParquetFile,
    "csv": CsvFile,
    "npz": NpzFile,
    "h5": Hdf5File,
}
"""The writer of each format; the names are also the files' extensions."""


class ExportReport(Value, frozen=True, kw_only=True):
    """The result of an export."""

    path: str
    family: str
    """The family's key."""
    tracks: int
    rows: int
    size_bytes: int


def export(
    features: Features, family: str, path: Path, *, form: str, replace: bool = False, block_bytes: int = BLOCK_BYTES
) -> ExportReport:
    """Write all rows of a family into a file, with labels, groups and units.

    The memory is `block_bytes` and some 100 bytes per track, whatever the number of rows. The file gets its name when
    it is complete; an export that fails leaves nothing behind. Raises `UsageError` for a form that is not in
    `FORMATS`, a family that is not stored, or a file that exists unless `replace`; `StoreError` when the store cannot
    be read or the file cannot be written.
    """
    if form not in FORMATS:
        raise UsageError(f"format {printable(form)}: not known; one of {', '.join(FORMATS)}")
    _check_free(path, replace=replace)
    source = Source(features, family)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with durable.store_errors(path, "be written"):
            _write(FORMATS[form], temporary, source, block_bytes)
            durable.sync_path(temporary)
            size_bytes = temporary.stat().st_size
            _check_free(path, replace=replace)
            temporary.replace(path)
            durable.sync_path(path.parent)
    finally:
        with suppress(OSError):  # as on a file system that can only be read, where nothing was written
            temporary.unlink(missing_ok=True)
    return ExportReport(
        path=printable(str(path)),
        family=source.spec.key,
        tracks=source.tracks,
        rows=source.rows,
        size_bytes=size_bytes,
    )


def _write(make: Callable[[Path, Source], Writer], path: Path, source: Source, block_bytes: int) -> None:
    path.unlink(missing_ok=True)  # left by a dead process that had the same number
    file = make(path, source)
    try:
        for block in source.blocks(block_bytes=block_bytes):
            file.add(block)
    except BaseException:
        # A file that cannot be written may fail to close too; the first error is raised.
        with suppress(OSError, RuntimeError, ValueError):
            file.close()
        raise
    file.close()


def _check_free(path: Path, *, replace: bool) -> None:
    path_text = printable(str(path))
    if path.is_dir():
        raise UsageError(f"{path_text}: is a folder; name a file in it")
    if path.exists() and not replace:
        raise UsageError(f"{path_text}: is there already; name another file, or let it be replaced")
    if not path.parent.is_dir():
        raise UsageError(f"{path_text}: there is no folder {printable(str(path.parent))}; make it first")
