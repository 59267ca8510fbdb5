"""Importing features computed elsewhere: an NPZ file with `Xdata` (n, ...) and `Ydata` (n, 1), as the tutorial's cache.

Such a file does not say which rows are of one song, or of one channel of it. So each row is a track of its own without
a group, and a split separates rows of one song as the tutorial's random split does: its scores are too good. Rows that
are equal bit for bit are one content, and stay together.
"""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Float32
from pipeline.errors import UsageError
from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.library.imported import PREFIX
from pipeline.library.tracks import FileStamp, ScannedTrack, TrackRecord, track_id
from pipeline.text import printable
from storage import durable
from storage.filestore.bulk_load import bulk_load
from storage.filestore.store_mark import open_layout


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRows:
    """The rows of an NPZ file: `values` (rows, *row_shape), and the label of each, (rows,)."""

    path: str
    stamp: FileStamp
    values: Float32
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def library(self) -> str:
        """The name of the rows as a library of a run."""
        return PREFIX + self.path

    @property
    def not_finite(self) -> int:
        """How many rows have NaN or infinite values; they are stored, and left out of training."""
        return int((~np.isfinite(self.values.reshape(len(self), -1)).all(axis=1)).sum())

    def path_of(self, row: int) -> str:
        """Return the path of the track of a row."""
        return f"{self.library}/{row:07d}.row"

    def scanned(self) -> Iterator[ScannedTrack]:
        """Yield each row as a scanned track, with its label and no group."""
        for row, label in enumerate(self.labels):
            path = self.path_of(row)
            yield ScannedTrack(track_id=track_id(path), path=path, stamp=self.stamp, label=label or None)


def read_npz(path: Path, spec: FeatureSpec) -> ImportedRows:
    """Return the rows of an NPZ file as rows of a family, all in memory.

    `Ydata` may also be (n,), of whole numbers or texts; where the file has `classes`, numbers are positions in it, and
    the labels are those names. Raises `UsageError` naming the file, the array and the reason when it has another form.
    """
    path_text = printable(str(path))
    try:
        with path.open("rb") as file:
            status = path.stat()
            if not zipfile.is_zipfile(file):
                raise UsageError(f"{path_text}: is no NPZ archive; save it with numpy.savez")  # noqa: TRY301 - passed on
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                x, y = (_array(arrays, name, path_text) for name in ("Xdata", "Ydata"))
                classes = arrays["classes"] if "classes" in arrays else np.zeros(0, "U1")
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"{path_text}: cannot be read ({durable.reason(error)})") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError) as error:
        raise UsageError(f"{path_text}: is no readable NPZ archive ({' '.join(str(error).split())})") from error
    if x.dtype.kind not in "fiu" or x.shape[1:] != spec.row_shape:
        raise UsageError(
            f"{path_text}: Xdata is {x.dtype} of shape {x.shape}; "
            f"the family {spec.name} has rows of shape {spec.row_shape}"
        )
    if not len(x) or y.shape not in {(len(x),), (len(x), 1)}:
        raise UsageError(
            f"{path_text}: Ydata has shape {y.shape} for {len(x)} rows of Xdata; give one label for each row"
        )
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(x, np.float32)
    return ImportedRows(
        path=os.fspath(path.absolute()),
        stamp=FileStamp(size_bytes=status.st_size, mtime_ns=status.st_mtime_ns),
        values=values,
        labels=_labels(y.reshape(-1), classes.reshape(-1), path_text),
    )


def import_rows(root: Path, rows: ImportedRows, spec: FeatureSpec, *, sequence: int) -> int:
    """Store the rows in the store in a folder, all or none; return how many tracks were new or newer.

    Importing the same again is a no-op. Raises `StoreError` when they could not be stored, and none is then.
    """
    return bulk_load(open_layout(root), spec, _tracks(rows, spec, sequence))


def _tracks(rows: ImportedRows, spec: FeatureSpec, sequence: int) -> Iterator[tuple[TrackRecord, FeatureRows]]:
    note = f"imported from {printable(Path(rows.path).name)}: values as given; song and group are unknown"
    duration_s = spec.parameters.get("block_s", 0.0)
    # Where in its song a row begins is unknown.
    start_s, channel = np.full(1, np.nan, np.float32), np.full(1, -1, np.int8)
    for number, values in enumerate(rows.values):
        path = rows.path_of(number)
        record = TrackRecord(
            track_id=track_id(path),
            path=path,
            stamp=rows.stamp,
            sequence=sequence,
            content_hash=_content(spec, values),
            duration_s=float(duration_s),
            note=note,
        )
        yield record, FeatureRows(values=values[np.newaxis], start_s=start_s, channel=channel)


def _content(spec: FeatureSpec, values: Float32) -> str:
    """Return the content hash of a row, from its values and the family's key; no file has the same."""
    digest = hashlib.blake2b(values.tobytes(), digest_size=16, person=b"chordal import")
    digest.update(spec.key.encode())
    return digest.hexdigest()


def _array(arrays: Any, name: str, path_text: str) -> np.ndarray:
    if name not in arrays:
        names = ", ".join(arrays.files) or "nothing"
        raise UsageError(f"{path_text}: has no array {name}; it holds {printable(names)}")
    array: np.ndarray = arrays[name]
    if not array.ndim:
        raise UsageError(f"{path_text}: {name} is a single number; give an array with a row for each block")
    return array


def _labels(y: np.ndarray, classes: np.ndarray, path_text: str) -> tuple[str, ...]:
    if y.dtype.kind == "U":
        return tuple(printable(word) for word in y.tolist())
    whole = y.astype(np.int64) if y.dtype.kind in "iufb" and np.isfinite(y).all() else None
    if whole is None or (whole != y).any():
        raise UsageError(
            f"{path_text}: Ydata is {y.dtype} and not all whole numbers or texts; give the class of each row"
        )
    if not len(classes):
        return tuple(str(number) for number in whole.tolist())
    if classes.dtype.kind != "U" or whole.min() < 0 or whole.max() >= len(classes):
        raise UsageError(
            f"{path_text}: Ydata goes from {whole.min()} to {whole.max()}, and there are {len(classes)} classes"
        )
    return tuple(printable(classes[number]) for number in whole)
