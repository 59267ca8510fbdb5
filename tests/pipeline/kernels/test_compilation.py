"""What comes out of the cache of the kernels does what it did when it was compiled, alone and inside another one."""

import pytest
from programs import program_error

pytestmark = pytest.mark.slow

MODULE = """
import numpy as np
from pipeline.kernels.compilation import kernel

@kernel
def doubled(signal):
    found = np.empty_like(signal)
    for i in range(len(signal)):
        found[i] = 2 * signal[i]
    return found

@kernel
def summed(signal):
    total = np.float64(0)
    for value in doubled(signal):
        total += value
    return total
"""
USE = """
import sys
import numpy as np
sys.path.insert(0, {folder!r})
import kernels_of_a_test as kernels
signal = np.arange(5.0)
{calls}
"""
DOUBLED = """
assert kernels.doubled(signal).tolist() == [0, 2, 4, 6, 8]
assert sum(kernels.doubled._cache_hits.values()) == {hits}
"""
SUMMED = """
assert kernels.summed(signal) == 20
assert sum(kernels.summed._cache_hits.values()) == {hits}
"""
NOT_LOADED = """
assert not {"cffi.cparser", "numba.np.arraymath", "numba.np.arrayobj", "scipy.linalg"} & sys.modules.keys()
"""


@pytest.fixture
def use(tmp_path):
    """Runs some calls in a process of its own, with kernels whose cache is kept."""
    (tmp_path / "kernels_of_a_test.py").write_text(MODULE, "utf-8")

    def run(*calls):
        return program_error(USE.format(folder=str(tmp_path), calls="".join(calls)))

    return run


def test_a_kernel_from_the_cache_returns_what_it_returned_when_it_was_compiled(use):
    assert use(DOUBLED.format(hits=0)) == ""
    assert use(DOUBLED.format(hits=1), NOT_LOADED) == ""


def test_a_kernel_that_is_compiled_later_can_call_one_from_the_cache(use):
    assert use(DOUBLED.format(hits=0)) == ""
    assert use(DOUBLED.format(hits=1), SUMMED.format(hits=0)) == ""
    assert use(SUMMED.format(hits=1), DOUBLED.format(hits=1), NOT_LOADED) == ""


def test_no_kernel_needs_what_compiling_needs():
    assert program_error(f"import sys\nfrom pipeline.features.warm import warm\nwarm()\n{NOT_LOADED}") == ""
