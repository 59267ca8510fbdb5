"""Opening, reading and writing HDF5 files that never change once they have their name.

Files are small and many, so that h5py's own calls below its comfortable ones are used: they cost a quarter.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5fd, h5g, h5p, h5s, h5t

from pipeline.errors import StoreError
from pipeline.text import printable
from storage import durable
from storage.filestore.format.image import Image

LIBVER = ("v110", "v110")
"""Guards HDF5's own structures with checksums; readable since HDF5 1.10."""

_COMPACT_BYTES = 8 << 10
# Copying less costs less than another piece.
_LAID_BYTES = 32 * 1024
"""Up to this size a dataset lies in its own header, which saves a write and has HDF5's checksum."""


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
    with naming(path), h5py.File(h5f.open(bytes(path), h5f.ACC_RDONLY, fapl=_reading_access())) as file:
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


def file_image(fill: Callable[[h5py.File, Image], None]) -> list[bytes | memoryview]:
    """Return the bytes of a file in pieces; `fill` writes small things into it and lays large ones by `write`.

    It is built in memory, so that a full disk meets a plain write: HDF5 cannot close a file that it cannot flush.
    """
    # Not HDF5's own memory driver: the images it gives away fail the checksum of their superblock.
    image = Image()
    access = _access()
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    access.set_fileobj_driver(h5fd.fileobj_driver, image)
    with h5py.File(h5f.create(b"in memory", h5f.ACC_TRUNC, fapl=access)) as file:
        fill(file, image)
    return image.pieces()


def mark(file: h5py.File, *, schema: int) -> None:
    """Say what the file is and which software wrote it."""
    put(file, "format", "chordal-features")
    put(file, "schema", schema)
    put(file, "software", _software())


def put(holder: h5py.Group, name: str, value: str | int | np.generic | tuple[str, ...] | tuple[int, ...]) -> None:
    """Write an attribute; texts in UTF-8 of fixed length, as the heap of HDF5's longer ones has no checksum."""
    if isinstance(value, str):
        array = np.array(value.encode("utf-8", "backslashreplace"))
    elif isinstance(value, np.generic):
        array = np.array(value)
    elif isinstance(value, tuple) and value and isinstance(value[0], str):
        texts = [str(text).encode("utf-8", "backslashreplace") for text in value]
        array = np.array(texts, dtype=f"S{max(1, *map(len, texts))}")
    else:
        array = np.array(value, dtype=np.int64)
    kind = _hdf5_type(array.dtype)
    space = h5s.create_simple(array.shape) if array.shape else _SCALAR
    h5a.create(holder.id, name.encode(), kind, space).write(array, kind)


def number(holder: h5py.Group, name: str, default: int | None = None) -> int:
    """Return an attribute that is a whole number. Raises `KeyError` when there is neither it nor a default."""
    if default is not None and not h5a.exists(holder.id, name.encode()):
        return default
    found = np.empty((), np.int64)
    h5a.open(holder.id, name.encode()).read(found)
    return int(found)


def make_group(file: h5py.File, *names: str) -> h5py.Group:
    """Create a group, and those it lies in where they are not there."""
    held = file.id
    for name in names:
        held = h5g.open(held, name.encode()) if name.encode() in held else h5g.create(held, name.encode())
    return h5py.Group(held)


def group(file: h5py.File, *names: str) -> h5py.Group:
    """Return a group. Raises `KeyError` when there is none."""
    return h5py.Group(h5g.open(file.id, "/".join(names).encode()))


def write(holder: h5py.Group, name: str, array: np.ndarray, *, apart: bool = False, image: Image | None = None) -> None:
    """Write an array of fixed size as a dataset; in an image, a large one is laid where HDF5 keeps room for it.

    What concerns several tracks lies `apart` from its header: HDF5's checksum of a header that a bit flipped in would
    refuse all of it, where ours tell which track it is.
    """
    kind = _hdf5_type(array.dtype)
    plan = _compact() if array.nbytes <= _COMPACT_BYTES and not apart else _contiguous()
    dataset = h5d.create(holder.id, name.encode(), kind, h5s.create_simple(array.shape), plan)
    if image is not None and array.nbytes > _LAID_BYTES:
        image.lay(dataset.get_offset(), np.ascontiguousarray(array))
    elif array.size:
        dataset.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(array), kind)


class Stored:
    """A dataset of an open file, to be read in runs of rows."""

    def __init__(self, holder: h5py.Group, name: str, dtype: np.dtype[Any]) -> None:
        """Open a dataset that has the layout of `dtype`.

        Raises `KeyError` when there is no such dataset, `ValueError` when it has another layout.
        """
        self._name = name
        self._dtype = dtype
        self._dataset = h5d.open(holder.id, name.encode())
        self._type = _hdf5_type(dtype)
        self.shape: tuple[int, ...] = self._dataset.shape
        if dtype.names:
            # Fields that an older schema named otherwise are what they are called now. Numbers are converted anyhow.
            stored = self._dataset.get_type()
            if stored.get_size() != dtype.itemsize:
                raise ValueError(f"{name} holds {stored.dtype}, not {dtype}")
            self._type = stored

    def read(self, begin: int = 0, end: int | None = None) -> np.ndarray:
        """Return the rows `begin` to `end`, by default all. Raises `ValueError` for others than there are."""
        length, *row = self.shape
        end = length if end is None else end
        if not 0 <= begin <= end <= length:
            raise ValueError(f"{self._name} has no rows {begin} to {end}, only {length}")
        found = np.empty((end - begin, *row), self._dtype)
        if found.size:
            mine = theirs = h5s.ALL
            if len(found) != length:
                mine, theirs = h5s.create_simple(found.shape), self._dataset.get_space()
                theirs.select_hyperslab((begin, *(0 for _ in row)), found.shape)
            self._dataset.read(mine, theirs, found, self._type)
        return found


def read(holder: h5py.Group, name: str, dtype: np.dtype[Any], *, begin: int = 0, end: int | None = None) -> np.ndarray:
    """Return the rows `begin` to `end`, by default all, of a dataset; raises like `Stored`."""
    return Stored(holder, name, dtype).read(begin, end)


_SCALAR = h5s.create(h5s.SCALAR)


@lru_cache(256)
def _hdf5_type(dtype: np.dtype[Any]) -> Any:
    """Return HDF5's name for a NumPy type; making one anew costs more than writing a small array."""
    return h5t.py_create(dtype, logical=True)


@lru_cache(1)
def _software() -> str:
    versions = {
        "chordal": metadata.version("chordal"),
        "h5py": h5py.version.version,
        "hdf5": h5py.version.hdf5_version,
        "numpy": np.__version__,
    }
    return json.dumps(versions, sort_keys=True)


def _access() -> Any:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    return access


@lru_cache(1)
def _reading_access() -> Any:
    access = _access()
    access.set_file_locking(False, ignore_when_disabled=False)
    access.set_cache(0, 0, 0, 1.0)
    return access


@lru_cache(1)
def _compact() -> Any:
    plan = h5p.create(h5p.DATASET_CREATE)
    plan.set_layout(h5d.COMPACT)
    plan.set_obj_track_times(False)
    return plan


@lru_cache(1)
def _contiguous() -> Any:
    plan = h5p.create(h5p.DATASET_CREATE)
    plan.set_layout(h5d.CONTIGUOUS)
    plan.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5d.FILL_TIME_NEVER)
    plan.set_obj_track_times(False)
    return plan
