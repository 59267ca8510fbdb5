"""Processes that cannot start: the one line that ends the command says why, and it comes soon."""

import os
import socket
from pathlib import Path

import brokers
import dying
import plugins
import pytest
from sounds import write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def library(tmp_path):
    """A few short files."""
    write_classes(tmp_path / "library", per_class=1, seconds=0.5)
    return tmp_path / "library"


def last_line(result) -> str:
    """Return the line that ended a command, of which nothing is left."""
    assert "Traceback" not in result.err
    return result.err.splitlines()[-1]


@pytest.mark.parametrize("command", ["extract", "watch"])
def test_a_worker_that_cannot_start_ends_the_command_with_its_reason_and_not_after_ten_tries(
    chordal, library, tmp_path, command
):
    result = chordal(command, library, "--recipe", chordal.recipe, **dying.install(tmp_path / "site", "extract"))
    log = chordal.home / "logs" / "extract.log"
    assert result.status == 1
    assert f"the extract process before it was ever ready ({dying.REASON}); see {log}" in last_line(result)
    assert log.read_text("utf-8").count(dying.REASON) <= 3
    assert f"the extract process died and was started again ({dying.REASON})" in result.err
    assert chordal.live_processes() == []


def test_one_that_is_asked_for_what_cannot_be_ends_the_command_as_misuse_does(chordal, library, tmp_path):
    environment = dying.install(tmp_path / "site", "extract", text="chordal: queues x: none such\n", status=2)
    result = chordal("extract", library, "--recipe", chordal.recipe, "--json", **environment)
    assert result.status == 2
    assert result.out == ""
    assert "(queues x: none such); see " in last_line(result)


def test_a_service_that_does_not_come_up_says_which_process_and_why(chordal, tmp_path):
    role = "conduct"
    options = ("--workers", "1", "--no-flower", "--metrics-port", str(brokers.free_port()))
    result = chordal("up", *options, **dying.install(tmp_path / "site", role))
    log = chordal.home / "logs" / f"{role}.log"
    assert result.status == 1
    assert last_line(result) == f"chordal: {role}: did not start ({dying.REASON}); see {log}"
    assert not (chordal.home / "service.json").exists()
    assert chordal.live_processes() == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os._exit(3)", "a process of worker extract@{host} ended (exitcode 3) before it opened a file"),
        (
            "raise OSError('no licence')",
            "host {host}: feature family 'mine': mine 1 (entry point",
        ),
    ],
)
def test_a_plug_in_that_no_worker_can_load_ends_the_run_with_the_reason(chordal, library, tmp_path, code, reason):
    installed = Path(plugins.install(tmp_path / "installed", "mine"))
    text = (installed / "mine.py").read_text("utf-8")
    (installed / "mine.py").write_text(f"import os, sys\nif 'worker' in sys.orig_argv:\n    {code}\n{text}", "utf-8")
    chordal.recipe.write_text(chordal.recipe.read_text("utf-8").replace('["mfcc_segments"', '["mine"'), "utf-8")
    path = os.pathsep.join(filter(None, (str(installed), os.environ.get("PYTHONPATH"))))
    result = chordal("extract", library, "--recipe", chordal.recipe, "--json", PYTHONPATH=path)
    assert result.status == 2
    assert last_line(result).startswith(f"chordal: {reason.format(host=socket.gethostname())}")
    assert chordal.live_processes() == []
