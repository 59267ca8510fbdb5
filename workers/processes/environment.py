"""The environment of processes that use TensorFlow: quiet, and one thread of numerics each."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUIET = {
    # One numeric thread per process: the pool already has one process per core.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # the same sums in the same order on every machine
    "MPLBACKEND": "agg",
    "PYTHONUNBUFFERED": "1",
}


def settle_tensorflow() -> None:
    """Have TensorFlow do in this process as in a worker, unless told otherwise: quiet, the same sums in one order."""
    for name, value in QUIET.items():
        if name.startswith("TF_"):
            os.environ.setdefault(name, value)


def quiet_tensorflow() -> None:
    """Have TensorFlow do in this command as in a worker, and print nothing by itself."""
    from pipeline.learning.models.runtime import around_tensorflow

    settle_tensorflow()
    around_tensorflow(hushed)  # which no setting keeps from telling that there is no GPU


@contextmanager
def hushed() -> Iterator[None]:
    """Hide what libraries write to standard error below Python, whose own errors are told afterwards all the same."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
