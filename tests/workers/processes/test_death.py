"""Why a process died, in one line."""

import os
import signal

import pytest
from conditions import eventually

from pipeline.errors import ChordalError
from workers.processes.child import Child
from workers.processes.death import LINE_LENGTH, Death, death_of, tail

TRACEBACK = """2026-11-30 21:59:47,909 MainProcess CRITICAL Unrecoverable error: OSError(30, 'Read-only file system')
Traceback (most recent call last):
  File "worker.py", line 271, in start
    self.blueprint.start(self)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^
OSError: [Errno 30] Read-only file system
"""
CHAINED = f"""{TRACEBACK}
The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "weighting.py", line 3, in <module>
RuntimeError: cannot cache function '_energies': no locator available
"""
OWN = "chordal: broker redis://b: its user may not; it needs +@all"


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        (1, TRACEBACK, "OSError: [Errno 30] Read-only file system"),
        (1, CHAINED, "RuntimeError: cannot cache function '_energies': no locator available"),
        (1, f"{TRACEBACK}worker: Warm shutdown (MainProcess)\n\n", "OSError: [Errno 30] Read-only file system"),
        (2, f"{TRACEBACK}{OWN}\n", OWN.removeprefix("chordal: ")),
        (1, f"{OWN}\nsome line after it\n", OWN.removeprefix("chordal: ")),
        (3, "2026-11-30 21:59:47,909 MainProcess INFO connected\n\n", "exit status 3: connected"),
        (3, "", "exit status 3"),
        (0, TRACEBACK, "it ended by itself"),
        (-9, TRACEBACK, "killed by SIGKILL"),
        (-11, "a line\n", "killed by SIGSEGV"),
        (
            -11,
            "Fatal Python error: Segmentation fault\n\n",
            "killed by SIGSEGV: Fatal Python error: Segmentation fault",
        ),
        (-127, "", "killed by signal 127"),
        (1, "Error: redis://me:secret@host/0 is away\n", "exit status 1: Error: redis://me:***@host/0 is away"),
        (1, "a bell \a and a tab\there\n", "exit status 1: a bell \\x07 and a tab here"),
    ],
)
def test_the_reason_is_the_line_that_says_most(tmp_path, status, text, reason):
    log = tmp_path / "extract.log"
    log.write_text(text, "utf-8")
    assert death_of("extract", status, log, was_ready=False).reason == reason


def test_a_long_line_is_cut_and_a_log_that_is_not_text_or_not_there_is_no_obstacle(tmp_path):
    log = tmp_path / "extract.log"
    log.write_bytes(b"\xff" * 10_000 + b"\n")
    assert len(death_of("extract", 1, log, was_ready=True).reason) <= LINE_LENGTH + len("exit status 1: ")
    assert death_of("extract", 1, tmp_path / "none.log", was_ready=True).reason == "exit status 1"


def test_what_an_earlier_process_wrote_is_not_taken_for_the_reason_unless_the_log_was_put_aside(tmp_path):
    log = tmp_path / "extract.log"
    log.write_text(f"{OWN}\n", "utf-8")
    start = log.stat().st_size
    assert tail(log, start) == []
    log.write_text("new\n", "utf-8")
    assert tail(log, start) == ["new"]


def test_deaths_are_alike_when_only_numbers_differ():
    def death(reason: str) -> Death:
        return Death(name="extract", log="extract.log", reason=reason, was_ready=False)

    assert death("KeyError: 0x7f84945ee010 in process 17").resembles(death("KeyError: 0x7f4ac9b4ce10 in process 9"))
    assert not death("KeyError: 1").resembles(death("OSError: 1"))
    assert not death("KeyError: 1").resembles(None)


def child(tmp_path, code: str) -> Child:
    """Return a child that runs some code."""
    return Child("extract", [], tmp_path / "extract.log", program=("-c", code))


@pytest.mark.slow
def test_a_child_tells_when_it_is_ready_and_how_it_ended(tmp_path):
    code = "from workers.processes.child import report_ready; report_ready(); raise OSError('no room')"
    started = child(tmp_path, code)
    assert started.death is None
    started.start()
    death = eventually(lambda: started.death)
    assert (death.reason, death.was_ready, death.is_misuse) == ("OSError: no room", True, False)
    started.stop()


@pytest.mark.slow
def test_a_child_that_was_not_ready_is_known_as_such_also_when_it_was_at_its_last_start(tmp_path):
    once = tmp_path / "once"
    code = f"""
import pathlib
from workers.processes.child import report_ready
if not pathlib.Path({str(once)!r}).exists():
    report_ready()
pathlib.Path({str(once)!r}).touch()
raise SystemExit("chordal: not now")
"""
    started = child(tmp_path, code).start()
    assert eventually(lambda: started.death).was_ready
    started.start()
    assert not eventually(lambda: started.death).was_ready
    started.stop()


@pytest.mark.slow
def test_where_the_system_starts_no_process_that_is_said_in_one_line(tmp_path):
    started = child(tmp_path / "nowhere", "pass")
    with pytest.raises(ChordalError, match=r"extract process cannot be started \(No such file or directory\)"):
        started.start()
    assert started.death is None
    started.stop()


@pytest.mark.slow
def test_a_killed_child_has_its_signal_for_a_reason(tmp_path):
    started = child(tmp_path, "import os; os.read(0, 1)").start()
    assert started.alive
    os.kill(started.pid, signal.SIGKILL)
    death = eventually(lambda: started.death)
    assert death.reason == "killed by SIGKILL"
    assert death.describe() == f"(killed by SIGKILL: out of memory?); see {tmp_path / 'extract.log'}"
    started.stop()


@pytest.mark.slow
def test_a_child_ends_with_its_parent_though_nobody_read_that_it_is_ready(tmp_path):
    code = """
import threading
from workers.processes.child import end_with_parent, report_ready
end_with_parent()
report_ready()
print("up", flush=True)
threading.Event().wait()
"""
    started = child(tmp_path, code).start()
    eventually(lambda: "up" in tail(tmp_path / "extract.log"))
    started.request_end()
    eventually(lambda: not started.alive)
    started.stop()
