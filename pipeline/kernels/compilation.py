"""How the kernels are compiled, and how they come out of Numba's cache.

Before Numba looks into its cache it loads its typed functions, SciPy's linear algebra and cffi among them, and compiles
its runtime; what it finds it reads in full, to build it into functions that call it. Together that takes four times as
long as what is done here. A kernel that has to be compiled loads all of it still, and by then what it calls is whole.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import numba
from numba.core import codegen
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.compiler import compile_result
from numba.core.runtime import nrt

# llvmlite's, of the version that Numba brings, and which is no dependency of ours
binding: Any = codegen.ll  # type: ignore[attr-defined]

Scalar = Any
"""A number in compiled code, of the type that Numba infers."""

Function = TypeVar("Function", bound=Callable[..., Any])


class _Library(codegen.JITCodeLibrary):
    """The machine code of a kernel, and for kernels that are compiled later its bitcode, unread."""

    def __init__(self, generator: Any, name: str, code: bytes, bitcode: bytes) -> None:
        super().__init__(generator, name)
        self._bitcode = bitcode
        self.enable_object_caching()
        self._set_compiled_object(code)
        self._finalize_final_module()

    def _get_module_for_linking(self) -> Any:
        if self._shared_module is None:
            self._shared_module = binding.parse_bitcode(self._bitcode)
        return self._shared_module

    def get_pointer_to_function(self, name: str) -> int:
        """Return the address of a function, which must be in the machine code."""
        address: int = self._codegen._engine.get_function_address(name)
        return address


class _Result(CompileResultCacheImpl):
    """What is written down of a compiled kernel, as Numba does it, and how it is read again."""

    def reduce(self, cres: Any) -> tuple[Any, ...]:
        """Leave out the environments without constants: none is looked into, but each imports the module it is of."""
        *rest, environments = cres._reduce()
        return (*rest, tuple(each for each in environments if each.consts))

    def rebuild(self, target_context: Any, payload: tuple[Any, ...]) -> Any:
        """Return a compiled kernel as it was written down."""
        (name, _, code), description, environment, signature, _, lifted, annotation, _, environments = payload
        generator = target_context.codegen()
        library = _Library(generator, name, *code)
        for each in environments:
            generator.set_env(each.env_name, each)
        return compile_result(
            typing_context=target_context.typing_context,
            target_context=target_context,
            entry_point=target_context.get_executable(library, description, environment),
            type_annotation=annotation,
            signature=signature,
            objectmode=False,
            lifted=lifted,
            fndesc=description,
            library=library,
            environment=environment,
            reload_init=(),
            referenced_envs=environments,
        )


class KernelCache(FunctionCache):
    """The cache of one kernel, beside its module."""

    _impl_class = _Result

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the kernel for a signature, or None."""
        _link_runtime()
        return self._load_overload(sig, target_context)


@cache
def _link_runtime() -> None:
    """Tell LLVM where Numba's runtime is; the rest of it is in the machine code of each kernel."""
    for name, address in nrt._nrt.c_helpers.items():  # type: ignore[attr-defined]
        binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


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
