"""Homes that 3ef4197 made, and the commands whose results must be those that 3ef4197 had.

`tests/acceptance/make_home.py` ran the commands by 3ef4197 and wrote their results down; `test_old_homes` runs them by
the present code. All is done by the command line and read from the wire, so modules may be anywhere.

Homes have the paths of their libraries in them. The library of these is at `/proc/self/cwd/library`: beside a command
wherever it is started, whatever the folder is called. Workers are started elsewhere, and get a map of the path.
"""

import json
import math
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import brokers
import click
import numpy as np
import redis
import soundfile
from conditions import eventually
from nights import move_since
from sounds import sound
from wire import Listener, anonymous, fields

from storage import FileFeatureStore, open_features
from workers.cli import cli

ARCHIVES = Path(__file__).parents[1] / "acceptance" / "archives"
HOMES = ARCHIVES / "homes-3ef4197.tar.xz"
"""`finished/` and `killed/`, two homes; `library/`, with whole seconds in its times; `small.toml`; `service.json`."""
ANSWERS = ARCHIVES / "answers-3ef4197.json"
"""The results of commands by 3ef4197 on those homes, unpacked elsewhere."""
FLOW = ARCHIVES / "flow-3ef4197.json"
"""What `flow` returned by 3ef4197."""

HERE = Path("/proc/self/cwd")
LIBRARY = HERE / "library"
RECIPE = HERE / "small.toml"
KNOWN_S = 1_600_000_000
"""The time of every file, seconds since 1970: whole, so that every archive keeps it."""

RATE_HZ = 8_000
KINDS: dict[str, dict[str, float]] = {
    "low": {"pitch_hz": 110.0},
    "high": {"pitch_hz": 1_400.0},
    "noisy": {"noise": 0.3},
}
FORMATS = ("wav", "flac", "ogg", "mp3")
SMALL = """
name = "small"
title = "A linear model of segments and a network on mean MFCCs, which vote"
features = ["loudness"]

[augment]
copies = 1
gain_db = [-6, 6]

[search]
strategy = "bayesian"
trials = 3
ensemble = 3

[gate]
tracks = 3

[[models]]
family = "logistic"
features = "mfcc_segments"
weight = 2

[[models]]
family = "dense_search"
features = "mfcc_mean"
fixed = { epochs = 5 }
"""

QUESTIONS = {
    "status": ("status",),
    "trials": ("status", "--trials"),
    "failures": ("failures",),
    "models": ("models",),
    "the first model": ("models", "show", "v0001"),
    "two models": ("models", "compare", "v0001", "v0002"),
    "store": ("store", "info"),
    "verify": ("store", "verify"),
    "schedule": ("schedule", "show"),
    "controls": ("throttle", "--show"),
    "report": ("report",),
    "predict": ("predict", str(LIBRARY), "--labels", "folder"),
    "predict in chunks": ("predict", str(HERE / "concert.flac"), "--chunk-s", "3"),
    "a feature family": ("features", "loudness"),
    "a recipe": ("recipes", str(RECIPE)),
}
"""The commands that are run on the finished home, with `--json`; none extracts or learns."""


def write_library(folder: Path, *, per_class: int = 4) -> None:
    """Write three easy classes in several formats, one file that is no sound and one that is too short."""
    for label, how in KINDS.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            path = folder / label / f"{label} {number}.{FORMATS[number % 4]}"
            soundfile.write(path, sound(number, seconds=3.2, rate_hz=RATE_HZ, **how), RATE_HZ)
    (folder / "low" / "diary.wav").write_text("dear diary", "utf-8")
    soundfile.write(folder / "low" / "short.wav", sound(9, seconds=0.3, rate_hz=RATE_HZ), RATE_HZ)
    set_times(folder)


def set_times(library: Path) -> None:
    """Give a file, or a folder and all that is in it, the time that an archive keeps."""
    for path in (library, *library.rglob("*")):
        os.utime(path, (KNOWN_S, KNOWN_S))


def unpack(folder: Path) -> None:
    """Unpack the homes and what belongs to them."""
    with tarfile.open(HOMES) as archive:
        archive.extractall(folder, filter="data")


def map_environment(folder: Path) -> dict[str, str]:
    """Return the environment in which workers find the files beside the homes."""
    return {"CHORDAL_MAP": f"{HERE}={folder}"}


def answer(chordal: Any, *words: str) -> Any:
    """Return what a command prints with `--json`, the home's path in it written HOME."""
    result = chordal(*words, "--json", **map_environment(chordal.folder))
    assert result.status == 0, result.err + chordal.logs()
    return json.loads(result.out.replace(str(chordal.home), "HOME"))


def differences(present: Any, known: Any, where: str = "") -> Iterator[str]:
    """Yield where two JSON values are not the same; numbers are when they agree to four digits."""
    if isinstance(present, dict) and isinstance(known, dict):
        for name in sorted({*present, *known}):
            if name not in present or name not in known:
                yield f"{where}/{name}: only {'3ef4197' if name in known else 'the present code'} has it"
            else:
                yield from differences(present[name], known[name], f"{where}/{name}")
    elif isinstance(present, list) and isinstance(known, list) and len(present) == len(known):
        for number, (one, other) in enumerate(zip(present, known, strict=True)):
            yield from differences(one, other, f"{where}/{number}")
    elif isinstance(present, float) and isinstance(known, float):
        if not math.isclose(present, known, rel_tol=1e-4, abs_tol=1e-6):
            yield f"{where}: {present}, not {known}"
    elif present != known:
        yield f"{where}: {present!r}, not {known!r}"


def tree(home: Path) -> list[str]:
    """Return the files of a home, without what differs by run."""
    paths = (path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
    return sorted({anonymous(path) for path in paths})


def flow(chordal: Any) -> dict[str, Any]:
    """Do a bit of everything by a service with a given broker; return what was sent, printed and left on disk.

    A scan, controls, a schedule, a night with extraction, trials, a model and its report, predictions of a new file, a
    run that waits and is cancelled, and the end of it.
    """
    folder, home = chordal.folder, chordal.home
    library, new, recipe = folder / "library", folder / "new", folder / "small.toml"
    write_library(library, per_class=3)
    new.mkdir()
    for number in range(2):
        soundfile.write(new / f"{number}.wav", sound(50 + number, seconds=3.2, rate_hz=RATE_HZ), RATE_HZ)
    recipe.write_text(SMALL, "utf-8")
    printed: dict[str, Any] = {}

    def record(name: str, *words: Any) -> None:
        result = chordal(*map(str, words), "--json")
        assert result.status == 0, result.err + chordal.logs()
        printed[name] = fields(result.json)

    with brokers.valkey(folder / "server") as port, Listener(port) as listener:
        url, page = f"redis://127.0.0.1:{port}/0", brokers.free_port()
        record("scan", "scan", library)
        record("throttle", "throttle", "--files-per-minute", 6000)
        record("schedule set", "schedule", "set", "--library", library, "--recipe", recipe, "--reconcile", 1)
        record("up", "up", "--broker", url, "--workers", 1, "--no-flower", "--metrics-port", page)
        move_since(home, to="2020-01-01T00:00:00+00:00")  # only now: a night that finds the home in use waits a minute
        eventually(lambda: list(home.glob("nightly/*/result.json")), within_s=300)
        eventually((home / "nightly" / "tidied.json").exists)
        for name in ("status", "failures", "models", "report"):
            record(name, name)
        record("trials", "status", "--trials")
        record("schedule show", "schedule", "show")
        record("predict", "predict", new)
        printed["metrics"] = metrics(page)
        # A run of which nothing is done yet.
        record("pause", "pause")
        soundfile.write(new / "2.wav", sound(52, seconds=3.2, rate_hz=RATE_HZ), RATE_HZ)
        with redis.Redis(port=port) as client:
            # The state of a worker: by 3ef4197 in a document of its own, now in the one that has its version.
            worker_key = re.compile(rb"chordal:(worker|version):extract@")
            eventually(lambda: any(b"paused" in client.get(key) for key in client.scan_iter() if worker_key.match(key)))
            waiting = chordal.start("extract", new, "--recipe", recipe)
            eventually(lambda: any(client.scan_iter("extract*", _type="list")))
        record("status of a run that waits", "status")
        record("cancel", "cancel")
        waiting.communicate(timeout=120)
        record("status of a run that was cancelled", "status")
        record("resume", "resume")
        record("down", "down")
    files = tree(home)
    record("model", "models", "show", "v0001")
    record("promote", "models", "promote", "v0001", "--reason", "by hand")
    record("retry", "retry")
    for name in ("info", "verify", "compact", "gc"):
        record(f"store {name}", "store", name)
    record("export", "store", "export", "--family", "loudness", "--format", "npz", "--out", folder / "loudness.npz")
    printed["recipes"] = fields(chordal("recipes", "--json").json["quick"])
    return {**listener.summary(), "printed": printed, "tree": files, "exit": waiting.returncode}


def metrics(port: int) -> list[str]:
    """Return the names and labels of chordal's metrics on a page for Prometheus."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
        lines = page.read().decode().splitlines()
    matches = (re.match(r"chordal_\w+(?:{.*})?(?= )", line) for line in lines)
    return sorted({re.sub(r'="[^"]*"', "", each[0]) for each in matches if each})


def command_line() -> dict[str, Any]:
    """Return the options of the commands, and their environment variables."""

    def describe(command: click.Command) -> dict[str, Any]:
        options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
        description: dict[str, Any] = {
            "options": sorted(name for each in options for name in (*each.opts, *each.secondary_opts)),
            "variables": sorted(str(each.envvar) for each in options if each.envvar),
        }
        if isinstance(command, click.Group):
            context = click.Context(command)
            commands = {name: command.get_command(context, name) for name in command.list_commands(context)}
            description["commands"] = {
                name: describe(each) for name, each in commands.items() if each and not each.hidden
            }
        return description

    return describe(cli)


def read_features(home: Path) -> dict[str, Any]:
    """Return a summary of the features that notebooks read from a home."""
    by_family, features = {}, open_features(home)
    for name in ("loudness", "mfcc_mean", "mfcc_segments"):
        rows = features.rows(name)
        by_family[name] = {
            "shape": list(rows.values.shape),
            "sum": float(rows.values.sum(dtype=np.float64)),
            "paths": [track.path for track in rows.tracks],
            "labels": [str(label) for label in rows.labels],
            "start_s": rows.start_s.tolist(),
            "channel": rows.channel.tolist(),
        }
    return by_family


def kill_everything(chordal: Any, running: Any) -> None:
    """Kill a command and all that it started, as a power cut would."""
    for process in [running, *chordal.live_processes()]:
        process.kill()
    running.communicate()
    eventually(lambda: not chordal.live_processes())


def settled_files(home: Path) -> list[str]:
    """Return the files that are settled in the store of a home, copies not counted."""
    records = FileFeatureStore.existing(home / "store").snapshot().records()
    return sorted(record.path for record in records if not record.copy_of)


def resume_run(chordal: Any) -> Any:
    """Have a service resume the run that was killed, until its end; return its status."""
    run_id = answer(chordal, "status")["run_id"]
    answer(chordal, "schedule", "set", "--library", str(LIBRARY), "--recipe", str(RECIPE), "--reconcile", "1")
    answer(chordal, "schedule", "off")  # at night; runs are taken up all the same
    answer(chordal, "up", "--workers", "1", "--no-flower", "--no-metrics")
    eventually((chordal.home / "runs" / run_id / "report.html").exists, within_s=300)
    answer(chordal, "down")
    return answer(chordal, "status")
