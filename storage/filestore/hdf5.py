"""Opening, reading and writing HDF5 files that never change once they have their name."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import h5py
import numpy as np

from pipeline.errors import StoreError
from pipeline.tracks import printable
from storage import durable

LIBVER = ("v110", "v110")
"""Guards HDF5's own structures with checksums; readable since HDF5 1.10."""


class DamagedError(StoreError):
    """The bytes of a stored file are not what was written."""


class VanishedError(StoreError):
    """A file was merged or collected since its name was read."""


@contextmanager
def reading(path: Path) -> Iterator[h5py.File]:
    """Open an immutable file for reading and tell its failures apart.

    Raises `VanishedError` when it is gone, `DamagedError` when its bytes make no sense, `StoreError` when it cannot
    be read now. Nothing is locked, as no one ever writes; no chunk is cached, as rows are read in runs.
    """
    with naming(path), h5py.File(path, "r", locking=False, rdcc_nbytes=0) as file:
        yield file


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in whatever goes wrong while it, or what was read of it, is looked at; raises like `reading`."""
    try:
        yield
    except DamagedError as error:
        raise _damaged(path, error) from error
    except StoreError:
        raise
    except FileNotFoundError as error:
        raise VanishedError(f"{printable(str(path))}: is gone") from error
    except OSError as error:
        # HDF5 looks at a file again after opening it, and tells no number when it was unlinked in between.
        if not path.exists():
            raise VanishedError(f"{printable(str(path))}: is gone") from error
        if error.errno:
            raise StoreError(f"{printable(str(path))}: cannot be read ({durable.reason(error)})") from error
        raise _damaged(path, error) from error
    # What h5py and NumPy raise for missing members, impossible types and impossible shapes.
    except (KeyError, RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DamagedError:
    return DamagedError(f"{printable(str(path))}: is damaged ({' '.join(str(error).split())})")


def mark(file: h5py.File, *, schema: int) -> None:
    """Say what the file is and which software wrote it."""
    versions = {
        "chordal": metadata.version("chordal"),
        "h5py": h5py.version.version,
        "hdf5": h5py.version.hdf5_version,
        "numpy": np.__version__,
    }
    put(file, "format", "chordal-features")
    put(file, "schema", schema)
    put(file, "software", json.dumps(versions, sort_keys=True))


def put(holder: h5py.Group, name: str, value: str | int | tuple[str, ...] | tuple[int, ...]) -> None:
    """Write an attribute; texts in UTF-8 of fixed length, as the heap of HDF5's longer ones has no checksum."""
    if isinstance(value, str):
        holder.attrs[name] = np.bytes_(value.encode("utf-8", "backslashreplace"))
    elif isinstance(value, tuple) and value and isinstance(value[0], str):
        texts = [str(text).encode("utf-8", "backslashreplace") for text in value]
        holder.attrs[name] = np.array(texts, dtype=f"S{max(1, *map(len, texts))}")
    else:
        holder.attrs[name] = np.array(value, dtype=np.int64)
