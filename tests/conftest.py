"""The real command line over generated libraries."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from workers.app.celery import app, configure
from workers.app.settings import Settings
from workers.broker.address import BrokerAddress
from workers.processes.cluster import local_cluster

QUICK = """
name = "quick"
title = "Two small models on mean MFCCs"
features = ["mfcc_segments"]

[[models]]
family = "logistic"
features = "mfcc_mean"

[[models]]
family = "svm"
features = "mfcc_mean"

[search]
trials = 2
"""


@dataclass(frozen=True)
class CommandResult:
    """The output and the exit status of a command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on standard output."""
        return json.loads(self.out)


class Chordal:
    """The command line, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.started: list[subprocess.Popen[str]] = []
        self.recipe = folder / "quick.toml"
        self.recipe.write_text(QUICK, "utf-8")

    def command(self, *arguments: str | os.PathLike[str]) -> list[str]:
        """Return the words that start a command."""
        return [sys.executable, "-P", "-m", "workers.cli", *map(os.fspath, arguments)]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a command: this one's, with a home."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CHORDAL_")}
        return {**clean, "CHORDAL_HOME": str(self.home), "COLUMNS": "200", **more}

    def start(self, *arguments: str | os.PathLike[str], **more: str) -> subprocess.Popen[str]:
        """Start a command and return its process."""
        process = subprocess.Popen(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment(**more),
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def __call__(self, *arguments: str | os.PathLike[str], within_s: float = 240.0, **more: str) -> CommandResult:
        """Run a command to its end."""
        process = self.start(*arguments, **more)
        try:
            out, err = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            process.terminate()
            out, err = process.communicate()
            pytest.fail(f"no end within {within_s:.0f} s\n{out}\n{err}\n{self.logs()}")
        return CommandResult(process.returncode, out, err)

    def logs(self) -> str:
        """Return the ends of the workers' logs, for a failure's message."""
        return "\n".join(f"== {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.home.glob("logs/*.log")))

    def live_processes(self) -> list[psutil.Process]:
        """Return live processes that were started for this home."""
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if str(self.home) in " ".join(process.info["cmdline"] or ())
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ]


@pytest.fixture
def chordal(tmp_path) -> Iterator[Chordal]:
    """The command line with an empty home."""
    command = Chordal(tmp_path)
    yield command
    # A test that failed must not leave anything behind for the next one.
    for process in command.started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    for process in command.live_processes():
        process.kill()


@pytest.fixture(scope="session")
def session_broker(tmp_path_factory) -> Iterator[BrokerAddress]:
    """The broker that this process always publishes to, as Celery keeps its connections and its result backend."""
    home = tmp_path_factory.mktemp("home")
    (home / "logs").mkdir()
    with local_cluster(home, None, 0) as opened:
        configure(Settings(home=str(home), broker=opened.broker), "client")
        yield opened.broker
        app.pool.force_close_all()


@pytest.fixture
def empty_broker(session_broker) -> BrokerAddress:
    """The broker that the application publishes to, emptied of the messages of earlier tests."""
    session_broker.client().flushall()
    return session_broker
