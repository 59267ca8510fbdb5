"""How the kernels are compiled, and how they come out of Numba's cache.

Before Numba looks into its cache it loads its typed functions, SciPy's linear algebra and cffi among them, and compiles
its runtime; what it finds it reads in full, to build it into functions that call it. Together that takes four times as
long as what is done here. A kernel that has to be compiled loads all of it still, and by then what it calls is whole.
"""

import inspect
import logging
import pickle  # noqa: TID251 - what Numba has to keep of a kernel has no other form
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import codegen
from numba.core.caching import NullCache
from numba.core.compiler import compile_result
from numba.core.runtime import nrt
from numba.core.serialize import dumps

from pipeline.kernels import cache as kernel_cache

# llvmlite's, of the version that Numba brings, and which is no dependency of ours
binding: Any = codegen.ll  # type: ignore[attr-defined]

Scalar = Any
"""A number in compiled code, of the type that Numba infers."""

Function = TypeVar("Function", bound=Callable[..., Any])

COMPILING = "compiling kernels"
"""How the line begins that says why a first start takes long; commands look for it in the log of a worker."""

FOLDER = "chordal-kernels"
"""The folder of the kernels in one that a user has for all that Numba compiles."""

_UNREADABLE = (
    pickle.UnpicklingError, EOFError, ImportError, LookupError, AttributeError, TypeError, ValueError, RuntimeError,
)  # fmt: skip

log = logging.getLogger(__name__)


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


class KernelCache(NullCache):
    """The cache of one kernel, which never keeps the kernel from running: what is in no cache is compiled.

    Numba's own looks for a folder that can be written when a kernel's module is imported, fails where there is none,
    and reads no other.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @property
    def cache_path(self) -> str | None:
        """Return the folder where the kernel is kept when it is compiled, for Numba's statistics."""
        folder = kernel_cache.writable_folder(self._folders)
        return None if folder is None else str(folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the kernel for a signature, or None. Raises `NotCompiledError` where none shall be compiled."""
        _link_runtime()
        name = self._file_name(sig, target_context.codegen())
        data = None if name is None else kernel_cache.load(name, self._folders)
        if data is not None:
            try:
                return _rebuild(target_context, pickle.loads(data))  # noqa: S301 - of a folder that is trusted
            except _UNREADABLE:
                log.warning("kernel %s: cannot be read, and is compiled anew", name, exc_info=True)
        if not kernel_cache.may_compile():
            raise kernel_cache.NotCompiledError(self._function.__qualname__)
        _announce_compiling(self.cache_path)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel, where there is a folder for it."""
        name = self._file_name(sig, data.codegen)
        if name is not None and not data.library.has_dynamic_globals and all(each.can_cache for each in data.lifted):
            kernel_cache.save(name, dumps(_reduce(data)), self._folders)

    @cached_property
    def _source(self) -> Path:
        return Path(inspect.getfile(self._function)).absolute()

    @property
    def _folders(self) -> tuple[Path, ...]:
        return kernel_cache.folders(self._source, _chosen_folder())

    def _file_name(self, sig: Any, generator: Any) -> str | None:
        """Return the name of the file of a signature: by sources, versions, processor and what a closure holds."""
        stamp = kernel_cache.source_stamp(self._source)
        if stamp is None:
            return None
        closure = self._function.__closure__ or ()
        held = dumps(tuple(cell.cell_contents for cell in closure))
        code = self._function.__code__.co_code
        versions = (numba.__version__, binding.llvm_version_info)
        kernel = f"{self._source.stem}.{self._function.__qualname__}"
        return kernel_cache.file_name(kernel, (kernel, str(sig), generator.magic_tuple(), versions, stamp, code, held))


def _reduce(result: Any) -> tuple[Any, ...]:
    """Return what is kept of a compiled kernel, as Numba does it.

    Without the environments without constants: none is looked into, but each imports the module it is of.
    """
    *rest, environments = result._reduce()
    return (*rest, tuple(each for each in environments if each.consts))


def _rebuild(target_context: Any, payload: tuple[Any, ...]) -> Any:
    """Return a compiled kernel as it was kept."""
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


def _chosen_folder() -> Path | None:
    """Return the folder that the user gave Numba for its cache; None without one, or for a `~` that is nowhere."""
    given: str = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    if not given:
        return None
    try:
        return Path(given).expanduser() / FOLDER
    except RuntimeError:
        return None


@cache
def _announce_compiling(folder: str | None) -> None:
    if folder is None:
        log.warning("%s at each start: there is no folder where they can be kept", COMPILING)
    else:
        log.info("%s, once: they are kept in %s", COMPILING, folder)


@cache
def _link_runtime() -> None:
    """Tell LLVM where Numba's runtime is; the rest of it is in the machine code of each kernel."""
    for name, address in nrt._nrt.c_helpers.items():  # type: ignore[attr-defined]
        binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def kernel(function: Function) -> Function:
    """Compile a kernel when it is first called, once per installation: the result is kept, as `KernelCache` can."""
    compiled: Any = numba.njit(
        nogil=True,
        boundscheck=False,
        error_model="numpy",
        # Sums may be reordered into lanes, and no sample is NaN: the decoders refuse those.
        fastmath={"reassoc", "contract", "nsz", "arcp", "nnan"},
    )(function)
    compiled._cache = KernelCache(function)
    return cast("Function", compiled)


def keeping_folder() -> Path | None:
    """Return the folder where kernels are kept that have to be compiled; None where they can be kept nowhere."""
    return kernel_cache.writable_folder(kernel_cache.folders(Path(__file__), _chosen_folder()))
