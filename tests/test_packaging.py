"""What a wheel of this project holds, and that its three names belong to nobody else."""

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_ships_code_recipes_and_the_reports_template(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("chordal-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"pipeline", "storage", "workers"}
    for needed in (
        "pipeline/recipes/default.toml",
        "pipeline/report/template.html.j2",
        "pipeline/report/style.css",
        "pipeline/py.typed",
        "storage/filestore/store.py",
        "workers/cli/__main__.py",
    ):
        assert needed in names


def test_no_other_installed_distribution_has_our_import_names():
    owners = metadata.packages_distributions()
    for name in ("pipeline", "storage", "workers"):
        assert set(owners.get(name, ["chordal"])) == {"chordal"}


def test_the_lock_names_no_host_and_pins_everything_by_hash():
    for lock in ("requirements.lock", "ops/bootstrap.lock"):
        text = (ROOT / lock).read_text("utf-8")
        assert "://" not in text
        assert "index" not in [line.split("=")[0].strip("-") for line in text.splitlines() if line.startswith("--")]
        entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert entries
        assert all("==" in entry and entry.endswith("\\") for entry in entries)
