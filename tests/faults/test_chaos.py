"""Chaos: something at random is killed every second, over and over, and the store is as if nothing had happened."""

import os
import random
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import kills
import numpy as np
import plain_loop
import plugins
import psutil
import pytest
import soundfile
from conditions import eventually

FILES = int(os.environ.get("CHORDAL_TEST_CHAOS", "2000"))
"""How many files; set the variable to torment it for longer."""
SEED = 5
EVERY_S = 1.0
ROOT = Path(__file__).parents[2]
RATE_HZ = 8_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + FILES // 2)]

KILLS = {"pool process": 12, "worker": 3, "broker": 3, "command": 2}
"""How often each kind of process is killed during 2,000 files; the order is drawn."""


@pytest.fixture
def library(tmp_path):
    """Thousands of files of a tenth of a second, no two alike."""
    chance = np.random.default_rng(SEED)
    for number in range(FILES):
        folder = tmp_path / "library" / f"artist {number // 50}"
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{number}.wav", chance.normal(0, 0.1, RATE_HZ // 10), RATE_HZ)
    return tmp_path / "library"


def victim(chordal, kind: str, chance: random.Random) -> psutil.Process | None:
    """Return a process of a kind, or None while there is none."""
    if kind == "pool process":
        processes = kills.pool(chordal, "extract")
        return chance.choice(processes) if processes else None
    return kills.worker(chordal, "extract") if kind == "worker" else kills.server(chordal)


def is_active_after_a_file(chordal, running: subprocess.Popen) -> bool:
    """Wait for a second, and then until another file is stored; return whether the command still runs."""
    with suppress(subprocess.TimeoutExpired):
        running.wait(EVERY_S)
    before = segments(chordal)
    eventually(lambda: running.poll() is not None or segments(chordal) - before, within_s=120)
    return running.poll() is None


def segments(chordal) -> set[str]:
    """Return the names of the segments in the store's inbox."""
    return {path.name for path in (chordal.home / "store" / "inbox").rglob("*.h5")}


def test_whatever_is_killed_the_store_is_that_of_an_undisturbed_run(chordal, library, tmp_path):
    # given what becomes of a library that nothing disturbs
    installed = {"PYTHONPATH": plugins.install(tmp_path / "installed", "cheap")}
    words = [sys.executable, plain_loop.__file__, library, tmp_path / "calm" / "store", "cheap"]
    path = os.pathsep.join([installed["PYTHONPATH"], str(ROOT)])
    subprocess.run(words, env={**chordal.environment(), "PYTHONPATH": path}, check=True)
    expected = kills.store_contents(tmp_path / "calm")
    assert len(expected) == FILES

    # when one process or another of a run is killed over and over, and the command started again when it was that
    chordal.recipe.write_text(re.sub("mfcc_[a-z]+", "cheap", chordal.recipe.read_text("utf-8")), "utf-8")
    command = ("extract", library, "--recipe", chordal.recipe, "--json")
    chance = random.Random(SEED)
    victims = [kind for kind, count in KILLS.items() for _ in range(max(1, count * FILES // 2_000))]
    chance.shuffle(victims)
    killed: list[str] = []
    running = chordal.start(*command, **installed)
    while victims and is_active_after_a_file(chordal, running):
        if victims[-1] == "command":
            running.kill()
            running.communicate()
            running = chordal.start(*command, **installed)
        elif (process := victim(chordal, victims[-1], chance)) is not None:
            process.kill()
        else:
            continue
        killed.append(victims.pop())
    out, err = running.communicate(timeout=600)

    # then it ends well, and its store is the same, track for track and row for row
    assert running.returncode == 0, f"{killed}\n{out}\n{err}\n{chordal.logs()}"
    assert kills.store_contents(chordal.home) == expected
    assert len(killed) >= 3, killed
    assert chordal("failures", "--json").json["failures"] == []
    eventually(lambda: chordal.live_processes() == [])
