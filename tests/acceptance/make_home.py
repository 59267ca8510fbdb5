"""Make the homes that `test_old_homes` opens, and write down what the chordal that made them tells of them.

It was run once, with the code of 3ef4197, on a host called studio:

    unshare --uts sh -c 'hostname studio && PYTHONPATH=.:tests/support python -m tests.acceptance.make_home'

With a later chordal it would tell what that one does, which says nothing about whether older homes still work.
"""

import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import old_homes
import soundfile
from conditions import eventually
from nights import move_since
from old_homes import ANSWERS, ARCHIVES, FLOW, HOMES, KINDS, LIBRARY, QUESTIONS, RATE_HZ, RECIPE, answer
from sounds import sound

from tests.conftest import Chordal

KEPT = ("finished", "killed", "library", "concert.flac", "small.toml", "service.json")


def write(path: Path, label: str, seed: int) -> None:
    """Write a sound of a class."""
    soundfile.write(path, sound(seed, seconds=3.2, rate_hz=RATE_HZ, **KINDS[label]), RATE_HZ)


def make_finished(chordal: Chordal) -> None:
    """Make a home with two models, marks, chunks, copies, controls, a night, a store partly compacted."""
    chordal.home = chordal.folder / "finished"
    gone = chordal.folder / "library" / "low" / "gone.ogg"
    write(gone, "low", 40)
    answer(chordal, "extract", str(LIBRARY), "--recipe", str(RECIPE))
    gone.unlink()
    answer(chordal, "run", str(LIBRARY), "--recipe", str(RECIPE))
    answer(chordal, "store", "compact")
    parts = [sound(60 + n, seconds=3.2, rate_hz=RATE_HZ, **KINDS[label]) for n, label in enumerate(("low", "high"))]
    soundfile.write(chordal.folder / "concert.flac", np.concatenate(parts), RATE_HZ)
    old_homes.set_times(chordal.folder / "concert.flac")
    answer(chordal, *QUESTIONS["predict in chunks"])
    answer(chordal, "throttle", "--nice", "1", "--files-per-minute", "6000")
    words = ("--library", str(LIBRARY), "--recipe", str(RECIPE), "--timezone", "Europe/Berlin")
    answer(chordal, "schedule", "set", *words, "--reconcile", "5")
    # The conductor scans where it was started.
    for name in ("library", "small.toml"):
        (chordal.home / "logs" / name).symlink_to(chordal.folder / name)
    answer(chordal, "up", "--workers", "1", "--no-flower", "--no-metrics")
    move_since(chordal.home, to="2020-01-01T00:00:00+00:00")
    eventually(lambda: list(chordal.home.glob("nightly/*/result.json")), within_s=300)
    eventually((chordal.home / "nightly" / "tidied.json").exists)
    shutil.copy(chordal.home / "service.json", chordal.folder)
    answer(chordal, "down")
    shutil.rmtree(chordal.home / "broker")


def make_killed(chordal: Chordal) -> None:
    """Make a home in which a run was killed when some files were settled and some were not."""
    chordal.home = chordal.folder / "killed"
    running = chordal.start(
        "run", LIBRARY, "--recipe", RECIPE, "--workers", "1", **old_homes.map_environment(chordal.folder)
    )
    eventually(lambda: len(list((chordal.home / "store" / "inbox").rglob("*.h5"))) >= 3, every_s=0.005)
    old_homes.kill_everything(chordal, running)
    assert len(old_homes.settled_files(chordal.home)) in range(2, 10)


def pack(folder: Path) -> None:
    """Write the archive: all but reports and what processes said, which tell of the machine too."""

    def kept(file: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if file.issym() or file.name.endswith((".log", "report.html")):
            return None
        file.uid = file.gid = 0
        file.uname = file.gname = ""
        return file

    ARCHIVES.mkdir(exist_ok=True)
    with tarfile.open(HOMES, "w:xz") as archive:
        for name in KEPT:
            archive.add(folder / name, arcname=name, filter=kept)


def answer_all(chordal: Chordal) -> dict[str, Any]:
    """Return what is told of the homes, unpacked elsewhere."""
    folder = chordal.folder
    old_homes.unpack(folder)
    chordal.home = folder / "finished"
    answers: dict[str, Any] = {"answers": {name: answer(chordal, *words) for name, words in QUESTIONS.items()}}
    answers["commands"], answers["rows"] = old_homes.command_line(), old_homes.read_features(chordal.home)
    answers["scan"] = answer(chordal, "scan", str(LIBRARY))
    answers["run"] = answer(chordal, "run", str(LIBRARY), "--recipe", str(RECIPE))
    chordal.home = folder / "killed"
    answers["killed"] = {"settled": old_homes.settled_files(chordal.home), "status": answer(chordal, "status")}
    shutil.copytree(chordal.home, folder / "taken up")
    answers["killed"]["run"] = answer(chordal, "run", str(LIBRARY), "--recipe", str(RECIPE))
    chordal.home = folder / "taken up"
    answers["killed"]["taken up"] = old_homes.resume_run(chordal)
    return answers


@contextmanager
def command(folder: Path) -> Iterator[Chordal]:
    """Give the command line in a folder; what it left running ends."""
    chordal = Chordal(folder)
    try:
        yield chordal
    finally:
        for process in chordal.live_processes():
            process.kill()


def main() -> None:
    """Make all of it."""
    folder = Path(tempfile.gettempdir()) / "home-of-3ef4197"
    folder.mkdir()
    with command(folder) as chordal:
        (folder / "small.toml").write_text(old_homes.SMALL, "utf-8")
        old_homes.write_library(folder / "library")
        make_finished(chordal)
        make_killed(chordal)
        pack(folder)
    shutil.rmtree(folder)
    for path, make in ((ANSWERS, answer_all), (FLOW, old_homes.flow)):
        with tempfile.TemporaryDirectory() as work, command(Path(work)) as chordal:
            path.write_text(json.dumps(make(chordal), indent=1, sort_keys=True) + "\n", "ascii")
    print(HOMES, HOMES.stat().st_size)


if __name__ == "__main__":
    main()
