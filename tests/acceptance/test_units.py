"""The systemd units, held against the real command line and systemd's own checker."""

import configparser
import json
import shlex
import shutil
import subprocess
from pathlib import Path

import brokers
import click
import pytest
import sandbox
import soundfile
from programs import program_error
from sounds import RATE_HZ, sound

from workers.cli import cli

UNITS = sorted((Path(__file__).parent.parent.parent / "ops" / "systemd").glob("*.service"))


def words(unit: Path) -> list[str]:
    """Return the words of what a unit starts."""
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str
    read.read_string(unit.read_text("utf-8"))
    return shlex.split(read["Service"]["ExecStart"].replace("%i", "extract,store"))


@pytest.mark.parametrize("unit", [unit for unit in UNITS if "broker" not in unit.name], ids=lambda unit: unit.name)
def test_a_units_command_is_one_that_chordal_understands(unit):
    program, name, *arguments = words(unit)
    assert program.endswith("/chordal")
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    command.make_context(name, arguments)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_no_fault_with_a_unit(unit, tmp_path):
    # given a unit whose program and user are there, as they are on a host that has them
    copy = tmp_path / unit.name.replace("@", "@extract")
    text = unit.read_text("utf-8").replace(words(unit)[0], "/bin/true").replace("User=chordal", "User=root")
    copy.write_text(text, "utf-8")
    told = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], check=False, capture_output=True, text=True)
    faults = [line for line in told.stderr.splitlines() if unit.name.partition("@")[0].partition(".")[0] in line]
    assert faults == []


@pytest.fixture
def place(tmp_path):
    """A sandbox with a library of two sounds, as the service's user finds them."""
    if reason := sandbox.reason_to_skip():
        pytest.skip(reason)
    assert program_error("from pipeline.features.warm import warm; warm()") == ""  # as `make install` does
    folder = tmp_path / "library" / "noise"
    folder.mkdir(parents=True)
    for number in range(2):
        soundfile.write(folder / f"{number}.wav", sound(number), RATE_HZ)
    tmp_path.chmod(0o755)
    return sandbox.Sandbox(tmp_path)


@pytest.mark.slow
def test_the_service_works_for_a_user_without_a_home_folder_on_a_system_that_is_read_only(place, tmp_path):
    # given what the unit asks for: a user of its own, ProtectSystem=strict, ProtectHome=read-only, PrivateTmp
    unit = (UNITS[0].parent / "chordal.service").read_text("utf-8")
    assert {"User=chordal", "ProtectSystem=strict", "ProtectHome=read-only", "PrivateTmp=true"} <= set(unit.split())
    ports = f"--flower-port {brokers.free_port()} --metrics-port {brokers.free_port()}"
    # when its command runs, and a run uses its workers
    ended = place.run(
        f"chordal up {ports} && chordal extract /mnt/place/library --json; chordal down",
        CHORDAL_HOME=place.home,
        HOME="/nonexistent",
    )
    # then it works, without a word about compiling, and nothing is left of a folder that nobody has
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    assert '"extracted":2' in ended.stdout.replace(" ", "")
    assert "compiling" not in ended.stderr
    assert not list((tmp_path / "home").rglob("~*"))


@pytest.mark.slow
@pytest.mark.parametrize("home", [{"HOME": "/nonexistent"}, {"HOME": "/"}, {"HOME": ""}, {}], ids=str)
def test_doctor_finds_what_a_user_without_a_home_folder_will_find(place, tmp_path, home):
    ended = place.run(f"chordal doctor --json --home {place.home}", tmp_is_writable=False, **home)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    found = {check["check"]: check["found"] for check in json.loads(ended.stdout)["checks"]}
    assert found["kernels"].startswith("loaded from ")
    assert "cache-4242" in found["user"]
    assert "cache-4242/tmp" in found["temporary files"]
    assert not list((tmp_path / "home").iterdir())


@pytest.mark.slow
def test_a_home_or_shared_memory_that_is_read_only_ends_a_command_at_once_with_the_mend(place):
    without_memory = place.run(
        f"chordal extract /mnt/place/library --home {place.home}", before="mount -t tmpfs -o ro tmpfs /dev/shm"
    )
    assert without_memory.returncode == 2
    assert without_memory.stderr.startswith("chordal: shared memory: no lock can be made (")
    assert "have a tmpfs at" in without_memory.stderr
    unwritable = place.run(
        "chordal extract /mnt/place/library --home /mnt/place/x || true; chordal doctor --home /mnt/place/x || true"
    )
    mend = "home /mnt/place/x: cannot be written (Read-only file system); mount its file system for writing, or name"
    assert unwritable.stderr.startswith(f"chordal: {mend}")
    assert [line for line in unwritable.stdout.splitlines() if line.startswith("MEND")] == [
        f"MEND  home             {mend} another folder with --home"
    ]
