"""How the kernels are compiled."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.runtime.nrt import rtsys

Scalar = Any
"""A number in compiled code, of the type that Numba infers."""

Function = TypeVar("Function", bound=Callable[..., Any])


class _Result(CompileResultCacheImpl):
    def reduce(self, cres: Any) -> tuple[Any, ...]:
        """Leave out the environments without constants: none is looked into, but each imports the module it is of."""
        *told, environments = cres._reduce()
        return (*told, tuple(each for each in environments if each.consts))


class _Cache(FunctionCache):
    """Numba's cache of a function, which gets what was compiled without all that is needed to compile.

    Numba would load half of its typed functions first, SciPy's linear algebra and cffi with them: as long as all
    kernels take. What has to be compiled loads them in any case.
    """

    _impl_class = _Result

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return a compiled function from the cache, or None."""
        rtsys.initialize(target_context)
        return self._load_overload(sig, target_context)  # type: ignore[no-untyped-call]


def kernel(function: Function) -> Function:
    """Compile a kernel when it is first called, once per machine: the result is cached beside the module."""
    compiled: Any = numba.njit(
        nogil=True,
        boundscheck=False,
        error_model="numpy",
        # Sums may be reordered into lanes, and no sample is NaN: what decodes them sees to that.
        fastmath={"reassoc", "contract", "nsz", "arcp", "nnan"},
    )(function)
    compiled._cache = _Cache(function)  # type: ignore[no-untyped-call]
    return cast("Function", compiled)
