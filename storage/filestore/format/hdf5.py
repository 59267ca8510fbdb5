"""Reading and writing HDF5 files, which never change once they have their final name.

Files are small and many, so h5py's low-level calls are used: they take a quarter of the time of its high-level ones.
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
"""The file format version: has checksums of HDF5's own structures; readable since HDF5 1.10."""

_COMPACT_BYTES = 8 << 10
"""Up to this size a dataset lies in its own header, which saves a write and has HDF5's checksum."""

_INSERT_BYTES = 32 << 10
"""Above this size an array is inserted into an image uncopied; copying less costs less than another piece to write."""


class DamagedError(StoreError):
    """The bytes of a stored file are not what was written."""


class VanishedError(StoreError):
    """A file was merged or removed by a collection since its name was read."""


@contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """Open an immutable file for reading.

    What is read while it is open raises `VanishedError` when the file is gone, `DamagedError` when its bytes are
    invalid, and `StoreError` when it cannot be read now; each names the file. Nothing is locked, as the file never
    changes; no chunk is cached, as each row is read once.
    """
    with file_errors(path), h5py.File(h5f.open(bytes(path), h5f.ACC_RDONLY, fapl=_reading_access())) as file:
        yield file


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn every error of reading a file, or of decoding what was read, into those that `open_file` raises."""
    try:
        yield
    except DamagedError as error:
        raise _damaged(path, error) from error
    except StoreError:
        raise
    except FileNotFoundError as error:
        raise VanishedError(f"{printable(str(path))}: is gone") from error
    except OSError as error:
        # HDF5 looks at a file again after opening it; its error has no errno when the file was unlinked in between.
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
    """Return the bytes of an HDF5 file in consecutive pieces; `fill` writes its groups, attributes and datasets.

    It is built in memory, so that a full disk fails a plain write: HDF5 cannot close a file that it cannot flush.
    """
    # Not HDF5's own memory driver: the images it returns fail the checksum of their superblock.
    image = Image()
    access = _access()
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    access.set_fileobj_driver(h5fd.fileobj_driver, image)
    with h5py.File(h5f.create(b"in memory", h5f.ACC_TRUNC, fapl=access)) as file:
        fill(file, image)
    return image.pieces()


def write_header(file: h5py.File, *, schema: int) -> None:
    """Write the file's attributes `format`, `schema` and `software` (JSON: versions by name)."""
    write_attribute(file, "format", "chordal-features")
    write_attribute(file, "schema", schema)
    write_attribute(file, "software", _software())


def write_attribute(
    holder: h5py.Group, name: str, value: str | int | np.generic | tuple[str, ...] | tuple[int, ...]
) -> None:
    """Write an attribute; texts in UTF-8 of fixed length, as HDF5's heap for variable-length ones has no checksum."""
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


def int_attribute(holder: h5py.Group, name: str, default: int | None = None) -> int:
    """Return an attribute that is an integer. Raises `KeyError` when it is missing and there is no default."""
    if default is not None and not h5a.exists(holder.id, name.encode()):
        return default
    value = np.empty((), np.int64)
    h5a.open(holder.id, name.encode()).read(value)
    return int(value)


def make_group(file: h5py.File, *names: str) -> h5py.Group:
    """Create nested groups, one per name, where they do not exist, and return the innermost."""
    parent = file.id
    for name in names:
        parent = h5g.open(parent, name.encode()) if name.encode() in parent else h5g.create(parent, name.encode())
    return h5py.Group(parent)


def group(file: h5py.File, *names: str) -> h5py.Group:
    """Return the innermost of nested groups, one per name. Raises `KeyError` when there is none."""
    return h5py.Group(h5g.open(file.id, "/".join(names).encode()))


def write(holder: h5py.Group, name: str, array: np.ndarray, *, apart: bool = False, image: Image | None = None) -> None:
    """Write an array as a dataset of fixed size; a large one is inserted uncopied where there is an `image`.

    What belongs to several tracks is stored `apart` from the dataset's header: one flipped bit in a header makes HDF5
    refuse all of it by its checksum, where our checksums tell which track is damaged.
    """
    kind = _hdf5_type(array.dtype)
    properties = _compact() if array.nbytes <= _COMPACT_BYTES and not apart else _contiguous()
    dataset = h5d.create(holder.id, name.encode(), kind, h5s.create_simple(array.shape), properties)
    if image is not None and array.nbytes > _INSERT_BYTES:
        image.insert(dataset.get_offset(), np.ascontiguousarray(array))
    elif array.size:
        dataset.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(array), kind)


class Dataset:
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
            # HDF5 matches the fields of a structure by name: read as it is stored, so that renamed fields of an older
            # schema keep their values. Plain numbers are converted by HDF5.
            stored = self._dataset.get_type()
            if stored.get_size() != dtype.itemsize:
                raise ValueError(f"{name} holds {stored.dtype}, not {dtype}")
            self._type = stored

    def read(self, begin: int = 0, end: int | None = None) -> np.ndarray:
        """Return the rows from `begin` to before `end`, by default all. Raises `ValueError` where there are none."""
        length, *row = self.shape
        end = length if end is None else end
        if not 0 <= begin <= end <= length:
            raise ValueError(f"{self._name} has no rows {begin} to {end}, only {length}")
        rows = np.empty((end - begin, *row), self._dtype)
        if rows.size:
            memory_space = file_space = h5s.ALL
            if len(rows) != length:
                memory_space, file_space = h5s.create_simple(rows.shape), self._dataset.get_space()
                file_space.select_hyperslab((begin, *(0 for _ in row)), rows.shape)
            self._dataset.read(memory_space, file_space, rows, self._type)
        return rows


def read(holder: h5py.Group, name: str, dtype: np.dtype[Any]) -> np.ndarray:
    """Return all rows of a dataset; raises like `Dataset`."""
    return Dataset(holder, name, dtype).read()


_SCALAR = h5s.create(h5s.SCALAR)


@lru_cache(256)
def _hdf5_type(dtype: np.dtype[Any]) -> Any:
    """Return the HDF5 type of a NumPy type; making one anew costs more than writing a small array."""
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
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_layout(h5d.COMPACT)
    properties.set_obj_track_times(False)
    return properties


@lru_cache(1)
def _contiguous() -> Any:
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_layout(h5d.CONTIGUOUS)
    properties.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)
    return properties
