"""Files built in memory around large arrays."""

import tracemalloc
from io import BytesIO

import h5py
import numpy as np
import pytest

from storage.filestore.format.hdf5 import file_image, make_group, write, write_attribute


@pytest.mark.parametrize("rows", [0, 1, 1_000, 20_000, 300_000])
def test_any_hdf5_reader_finds_what_was_written_and_what_was_laid(rows):
    values = np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)
    half = values[: rows // 2]

    def fill(file, image):
        write_attribute(file, "format", "a test")
        for name, array in (("whole", values), ("half", half)):
            group = make_group(file, "groups", name)
            write(group, "values", array, image=image)
            write(group, "rows", np.array([len(array)]))

    with h5py.File(BytesIO(b"".join(file_image(fill)))) as file:
        assert file.attrs["format"] == b"a test"
        for name, array in (("whole", values), ("half", half)):
            assert np.array_equal(file[f"groups/{name}/values"][:], array)
            assert file[f"groups/{name}/rows"][:] == [len(array)]


def test_large_arrays_are_not_copied():
    values = np.zeros((50, 1 << 20), np.uint8)
    tracemalloc.start()
    pieces = file_image(lambda file, image: write(file, "values", values, image=image))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    assert sum(map(len, pieces)) >= values.nbytes
