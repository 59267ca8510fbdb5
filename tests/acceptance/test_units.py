"""The systemd units, held against the real command line and systemd's own checker."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

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
