"""Features computed elsewhere: an NPZ file with `Xdata` (n, ...) and `Ydata` (n, 1), as the tutorial caches them.

Such a file tells no songs: which rows are of one song, or of one of its channels, nobody knows. So each row is a track
of its own without a group, and a split parts the rows of a song as the tutorial's random split does: its scores are
too good. Rows that are equal bit for bit are one content, and stay together.
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
        """What the rows are called together, as a run's library."""
        return PREFIX + self.path

    @property
    def not_finite(self) -> int:
        """How many rows hold NaN or infinite values; they are stored, and left out where models learn."""
        return int((~np.isfinite(self.values.reshape(len(self), -1)).all(axis=1)).sum())

    def path_of(self, row: int) -> str:
        """Return the path of a row's track."""
        return f"{self.library}/{row:07d}.row"

    def scanned(self) -> Iterator[ScannedTrack]:
        """Yield each row as a scan finds a file: with its label, and no group."""
        for row, label in enumerate(self.labels):
            path = self.path_of(row)
            yield ScannedTrack(track_id=track_id(path), path=path, stamp=self.stamp, label=label or None)


def read_npz(path: Path, spec: FeatureSpec) -> ImportedRows:
    """Return the rows of an NPZ file as rows of a family, in the memory.

    `Ydata` may be (n,) too, of whole numbers or texts; where the file has `classes`, numbers are positions in it, and
    become those names. Raises `UsageError` naming the file, the array and the reason when it has another form.
    """
    shown = printable(str(path))
    try:
        with path.open("rb") as file:
            found = path.stat()
            if not zipfile.is_zipfile(file):
                raise UsageError(f"{shown}: is no NPZ archive; save it with numpy.savez")  # noqa: TRY301 - told as it is
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                x, y = (_array(arrays, name, shown) for name in ("Xdata", "Ydata"))
                classes = arrays["classes"] if "classes" in arrays else np.zeros(0, "U1")
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read ({durable.reason(error)})") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError) as error:
        raise UsageError(f"{shown}: is no readable NPZ archive ({' '.join(str(error).split())})") from error
    if x.dtype.kind not in "fiu" or x.shape[1:] != spec.row_shape:
        raise UsageError(
            f"{shown}: Xdata is {x.dtype} of shape {x.shape}; the family {spec.name} has rows of shape {spec.row_shape}"
        )
    if not len(x) or y.shape not in {(len(x),), (len(x), 1)}:
        raise UsageError(f"{shown}: Ydata has shape {y.shape} for {len(x)} rows of Xdata; give one label for each row")
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(x, np.float32)
    return ImportedRows(
        path=os.fspath(path.absolute()),
        stamp=FileStamp(size_bytes=found.st_size, mtime_ns=found.st_mtime_ns),
        values=values,
        labels=_labels(y.reshape(-1), classes.reshape(-1), shown),
    )


def import_rows(root: Path, rows: ImportedRows, spec: FeatureSpec, *, sequence: int) -> int:
    """Store the rows in the store of a folder, all or none; return how many tracks were new or newer.

    Importing the same again is a no-op. Raises `StoreError` when they could not be stored.
    """
    return bulk_load(open_layout(root), spec, _tracks(rows, spec, sequence))


def _tracks(rows: ImportedRows, spec: FeatureSpec, sequence: int) -> Iterator[tuple[TrackRecord, FeatureRows]]:
    note = f"imported from {printable(Path(rows.path).name)}: values as given; song and group are unknown"
    duration_s = spec.parameters.get("block_s", 0.0)
    # Nobody knows where in which song a row begins.
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
    """Return a content hash that no file has: of the values themselves."""
    digest = hashlib.blake2b(values.tobytes(), digest_size=16, person=b"chordal import")
    digest.update(spec.key.encode())
    return digest.hexdigest()


def _array(arrays: Any, name: str, shown: str) -> np.ndarray:
    if name not in arrays:
        held = ", ".join(arrays.files) or "nothing"
        raise UsageError(f"{shown}: has no array {name}; it holds {printable(held)}")
    found: np.ndarray = arrays[name]
    if not found.ndim:
        raise UsageError(f"{shown}: {name} is a single number; give an array with a row for each block")
    return found


def _labels(y: np.ndarray, classes: np.ndarray, shown: str) -> tuple[str, ...]:
    if y.dtype.kind == "U":
        return tuple(printable(word) for word in y.tolist())
    whole = y.astype(np.int64) if y.dtype.kind in "iufb" and np.isfinite(y).all() else None
    if whole is None or (whole != y).any():
        raise UsageError(f"{shown}: Ydata is {y.dtype} and not all whole numbers or texts; give the class of each row")
    if not len(classes):
        return tuple(str(number) for number in whole.tolist())
    if classes.dtype.kind != "U" or whole.min() < 0 or whole.max() >= len(classes):
        raise UsageError(
            f"{shown}: Ydata goes from {whole.min()} to {whole.max()}, and there are {len(classes)} classes"
        )
    return tuple(printable(classes[number]) for number in whole)
