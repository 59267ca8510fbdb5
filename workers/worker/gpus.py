"""GPUs: which ones TensorFlow could use here, and one for each process that trains.

TensorFlow keeps the memory it took on a GPU until its process ends, so processes that share one run out of it. A
worker that only learns therefore has as many processes as there are GPUs, and each takes one for its life, by a lock
that the kernel releases when the process ends. A process that finds all of them taken trains on the processor.
"""

import fcntl
import importlib.util
import logging
import os
import tempfile
from collections.abc import Sequence
from ctypes.util import find_library
from pathlib import Path

DEVICES = Path("/proc/driver/nvidia/gpus")
"""Where Nvidia's driver lists the GPUs, a folder each."""
VISIBLE = "CUDA_VISIBLE_DEVICES"

log = logging.getLogger(__name__)

_locks: list[int] = []
"""Descriptors of the locks this process holds; they must stay open."""


def gpus(*, devices: Path = DEVICES) -> tuple[str, ...]:
    """Return the GPUs that TensorFlow could use, as `CUDA_VISIBLE_DEVICES` names them; those it names, when it is set.

    None where the driver or the libraries that TensorFlow needs for them are missing.
    """
    try:
        numbers = tuple(str(number) for number in range(len(list(devices.iterdir()))))
    except OSError:
        return ()
    if not numbers or not _has_libraries():
        return ()
    visible = os.environ.get(VISIBLE)
    return numbers if visible is None else _parse_visible(visible)


def trainer_count(processes: int, *, available: Sequence[str] | None = None) -> int:
    """Return how many of some processes should train: one for each GPU, all of them where there is none."""
    present = gpus() if available is None else available
    return min(processes, len(present)) if present else processes


def claim(*, available: Sequence[str] | None = None, folder: Path | None = None) -> str | None:
    """Take a GPU that no other process of this user has, for as long as this process lives, and return it.

    To be called before TensorFlow is imported, which then sees this GPU alone. When all are taken it sees none, and
    None is returned. Changes nothing where there is no GPU.
    """
    present = gpus() if available is None else available
    if not present:
        return None
    folder = folder or Path(tempfile.gettempdir())
    for gpu in present:
        name = "".join(letter if letter.isalnum() else "-" for letter in gpu)
        try:
            _lock(folder / f"chordal-gpu-{os.getuid()}-{name}.lock")
        except BlockingIOError:
            continue
        except OSError as error:
            # Two processes on one GPU may run out of its memory, but none on any is never what is wanted.
            log.warning(
                "GPU %s cannot be locked in %s (%s): other processes may use it too", gpu, folder, error.strerror
            )
        os.environ[VISIBLE] = gpu
        log.info("this process trains on GPU %s", gpu)
        return gpu
    os.environ[VISIBLE] = "-1"
    log.info("all of %d GPUs are taken: this process trains on the processor", len(present))
    return None


def _lock(path: Path) -> None:
    """Lock a file for as long as this process lives. Raises `BlockingIOError` when another one has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    _locks.append(descriptor)


def _parse_visible(text: str) -> tuple[str, ...]:
    """Return the GPUs of a `CUDA_VISIBLE_DEVICES`; like CUDA, none from the first one on that is no GPU."""
    names: list[str] = []
    for word in map(str.strip, text.split(",")):
        if not word or word.startswith("-"):
            break
        names.append(word)
    return tuple(names)


def _has_libraries() -> bool:
    """Return whether CUDA's library for networks is installed, by the system or as a Python package."""
    if find_library("cudnn"):
        return True
    try:
        return importlib.util.find_spec("nvidia.cudnn") is not None
    except ModuleNotFoundError:
        return False
