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


def set_tensorflow_environment() -> None:
    """Set for TensorFlow in this process what workers set, unless it is set: quiet, the same sums in one order."""
    for name, value in QUIET.items():
        if name.startswith("TF_"):
            os.environ.setdefault(name, value)


def quiet_tensorflow() -> None:
    """Have TensorFlow compute in this command as in a worker, and print nothing by itself."""
    # Not before it is needed: it imports NumPy, which reads its environment then.
    from pipeline.learning.models.runtime import around_tensorflow

    set_tensorflow_environment()
    around_tensorflow(without_stderr)  # no setting hides that there is no GPU


@contextmanager
def without_stderr() -> Iterator[None]:
    """Hide what libraries write to standard error below Python; Python's own errors are still printed afterwards."""
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
