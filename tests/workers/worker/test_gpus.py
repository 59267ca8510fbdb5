"""One GPU for each process that trains; there is none here, so the driver's list is made up."""

import os
import subprocess
import sys

import pytest

from pipeline.learning.models import runtime
from workers.worker import gpus


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    """Leave no environment and no lock behind."""
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    monkeypatch.setattr(gpus, "_locks", [])
    yield
    for descriptor in gpus._locks:
        os.close(descriptor)


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A driver's list of two GPUs, and the libraries for them."""
    devices = tmp_path / "gpus"
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (devices / name).mkdir(parents=True)
    monkeypatch.setattr(gpus, "find_library", lambda _: "libcudnn.so.9")
    return devices


def test_gpus_are_those_of_the_driver(two):
    assert gpus.gpus(devices=two) == ("0", "1")


@pytest.mark.parametrize(
    ("text", "names"), [("1", ("1",)), ("GPU-3f,0", ("GPU-3f", "0")), ("", ()), ("-1", ()), ("0,-1,1", ("0",))]
)
def test_gpus_that_are_hidden_do_not_count(two, monkeypatch, text, names):
    monkeypatch.setenv(gpus.VISIBLE, text)

    assert gpus.gpus(devices=two) == names


def test_without_driver_or_libraries_there_is_none(two, tmp_path, monkeypatch):
    assert gpus.gpus(devices=tmp_path / "nowhere") == ()
    monkeypatch.setattr(gpus, "find_library", lambda _: None)
    monkeypatch.setattr(gpus.importlib.util, "find_spec", lambda _: None)
    assert gpus.gpus(devices=two) == ()


def test_as_many_processes_train_as_there_are_gpus_and_all_where_there_is_none():
    assert gpus.trainer_count(8, available=("0", "1")) == 2
    assert gpus.trainer_count(1, available=("0", "1")) == 1
    assert gpus.trainer_count(8, available=()) == 8


def test_without_a_gpu_nothing_is_changed(tmp_path):
    assert gpus.claim(available=(), folder=tmp_path) is None
    assert gpus.VISIBLE not in os.environ
    assert list(tmp_path.iterdir()) == []


def test_each_process_has_a_gpu_of_its_own_and_gives_it_back_when_it_ends(tmp_path):
    program = (
        "import sys; from pathlib import Path; from workers.worker import gpus\n"
        f"print(gpus.claim(available=('0', '1'), folder=Path({str(tmp_path)!r})), flush=True)\n"
        "sys.stdin.read()\n"
    )

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return process, process.stdout.readline().strip()

    first, second, third = start(), start(), start()
    assert [claimed for _, claimed in (first, second, third)] == ["0", "1", "None"]
    first[0].kill()
    first[0].communicate()
    fourth = start()
    assert fourth[1] == "0"
    for process, _ in (second, third, fourth):
        process.communicate()


def test_a_process_sees_the_gpu_it_took_and_no_other_or_none(tmp_path):
    assert gpus.claim(available=("0",), folder=tmp_path) == "0"
    assert os.environ[gpus.VISIBLE] == "0"

    assert gpus.claim(available=("0",), folder=tmp_path) is None
    assert os.environ[gpus.VISIBLE] == "-1"


def test_memory_grows_on_every_gpu_and_what_was_asked_for_is_done_first(monkeypatch):
    import tensorflow as tf

    grown, done = [], []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}:0", f"{kind}:1"])
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, enable: grown.append((gpu, enable, len(done)))
    )
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", lambda _: None)
    monkeypatch.setattr(tf.config.threading, "set_inter_op_parallelism_threads", lambda _: None)
    monkeypatch.setattr(runtime, "_BEFORE", [lambda: done.append("asked")])

    runtime.prepare.__wrapped__()

    assert grown == [("GPU:0", True, 1), ("GPU:1", True, 1)]
