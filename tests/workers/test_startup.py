"""What a worker for extraction has loaded when it forks, and what the commands have: what they need, no more."""

from loaded import loaded_by, told_by

LOAD = """
import workers.worker.start, workers.learning.tasks
from pipeline.features.warm import warm
warm()
import pipeline.extraction.extract
"""
HEAVY = (
    "av",  # only for files that libsndfile cannot open
    "jinja2", "keras", "librosa", "matplotlib", "mutagen", "pandas", "pyarrow", "pyloudnorm", "rich",
    "scipy.optimize", "scipy.signal", "scipy.sparse", "scipy.stats", "sklearn", "tensorflow",
    "tomlkit",  # only for writing a recipe
)  # fmt: skip

COMMAND = """
import workers.cli.runs.run, workers.learning.mlflow_tracking, workers.runs.execute, workers.runs.import_npz
import workers.service.state
"""

HELP = """
import click
from workers.cli import COMMANDS, cli
for name in COMMANDS:
    cli.get_command(click.Context(cli), name)
"""

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
    assert loaded_by(LOAD, HEAVY) == ""


def test_a_warm_worker_has_every_kernel_that_a_file_may_need():
    assert told_by(f"{LOAD}{MORE}") == ""


def test_a_command_that_waits_for_workers_loads_nothing_that_only_they_need():
    assert loaded_by(COMMAND, {*HEAVY} - {"rich"}) == ""


def test_the_help_loads_none_of_the_libraries_that_the_commands_need():
    assert loaded_by(HELP, {*HEAVY, "celery", "h5py", "kombu", "numpy", "psutil", "redis", "scipy"}) == ""
