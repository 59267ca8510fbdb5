"""How the kernels are compiled."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from pipeline.kernels.caching import KernelCache

Scalar = Any
"""A number in compiled code, of the type that Numba infers."""

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a kernel when it is first called, once per machine: the result is cached beside the module."""
    compiled: Any = numba.njit(
        nogil=True,
        boundscheck=False,
        error_model="numpy",
        # Sums may be reordered into lanes, and no sample is NaN: the decoders refuse those.
        fastmath={"reassoc", "contract", "nsz", "arcp", "nnan"},
    )(function)
    compiled._cache = KernelCache(function)
    return cast("Function", compiled)
