"""A run whose files are blocked in extraction until a test releases them, on a broker that the test can read."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import plugins
import redis
import soundfile
from conditions import eventually
from sounds import RATE_HZ, sound

from workers.broker.priorities import STEPS, queue_key

START = """
import pathlib
with open({folder!r} + "/started", "a") as log:
    log.write("file\\n")
while not pathlib.Path({folder!r}, "go").exists():
    threading.Event().wait(0.02)
"""


class BlockedRun:
    """A library whose files are each blocked in extraction until `release`; starts workers and the command.

    `user` is who they are at the broker, as `name:password@`.
    """

    def __init__(self, chordal: Any, folder: Path, port: int, *, files: int, user: str = "") -> None:
        self.chordal = chordal
        self.files = files
        self.library = folder / "library"
        self.library.mkdir()
        for number in range(files):
            soundfile.write(self.library / f"{number}.wav", sound(number, seconds=0.2), RATE_HZ)
        self.client = redis.Redis(port=port, decode_responses=True)
        self._folder = folder
        installed = plugins.install(folder / "installed", "blocked", start=START.format(folder=str(folder)))
        self._environment = {"CHORDAL_BROKER": f"redis://{user}127.0.0.1:{port}/0", "PYTHONPATH": installed}
        chordal.recipe.write_text(chordal.recipe.read_text("utf-8").replace("mfcc_segments", "blocked"), "utf-8")

    def worker(self, name: str, *, processes: int = 1, first_on_path: str = "") -> subprocess.Popen[str]:
        """Start a worker for files; `first_on_path` is a folder that it imports from before any other."""
        words = ("worker", "--queues", "extract,store", "--concurrency", str(processes), "--name", name)
        return self._start(words, first_on_path)

    def extract(self, *, first_on_path: str = "") -> subprocess.Popen[str]:
        """Start the command."""
        return self._start(("extract", self.library, "--recipe", self.chordal.recipe, "--json"), first_on_path)

    def _start(self, words: tuple[Any, ...], first_on_path: str) -> subprocess.Popen[str]:
        path = os.pathsep.join(
            filter(None, (first_on_path, self._environment["PYTHONPATH"], os.environ.get("PYTHONPATH")))
        )
        started: subprocess.Popen[str] = self.chordal.start(*words, **{**self._environment, "PYTHONPATH": path})
        return started

    @property
    def starts(self) -> int:
        """How often a file was opened so far."""
        log = self._folder / "started"
        return len(log.read_text("ascii").splitlines()) if log.exists() else 0

    def queued(self) -> list[Any]:
        """Return the messages of files that are in a queue."""
        keys = [queue_key("extract", step) for step in STEPS]
        return [json.loads(each) for key in keys for each in self.client.lrange(key, 0, -1)]

    def unacknowledged(self) -> list[Any]:
        """Return the messages that workers have received and not acknowledged."""
        return [json.loads(each)[0] for each in self.client.hvals("unacked")]

    def release(self) -> None:
        """Let all files be extracted."""
        (self._folder / "go").touch()

    def tracks(self, command: subprocess.Popen[str], *, within_s: float = 120) -> dict[str, int]:
        """Wait for the end of the command and return the numbers of tracks that it prints."""
        out, err = command.communicate(timeout=within_s)
        assert command.returncode == 0, err
        tracks: dict[str, int] = json.loads(out)["tracks"]
        return tracks

    def progress(self) -> dict[str, str]:
        """Return the broker's counters of the newest run."""
        run_id = max(path.name for path in (self.chordal.home / "runs").iterdir() if not path.name.startswith("."))
        progress: dict[str, str] = self.client.hgetall(f"chordal:{run_id}:progress")
        return progress


def kill(worker: subprocess.Popen[str]) -> None:
    """Kill a worker and all its processes at once, as a power cut does."""
    os.killpg(worker.pid, signal.SIGKILL)
    worker.communicate()


def end(worker: subprocess.Popen[str]) -> str:
    """End a worker and return its log."""
    worker.send_signal(signal.SIGTERM)
    eventually(lambda: worker.poll() is not None)
    _, err = worker.communicate()
    return err
