"""Controlling runs from another terminal: pause, throttle, cancel, Ctrl-C, priorities, and the status meanwhile."""

import os
import pty
import signal
import subprocess
import threading
from datetime import datetime, timedelta

import brokers
import psutil
import pytest
import soundfile
from conditions import eventually
from sounds import RATE_HZ, sound, write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PER_CLASS = 16


@pytest.fixture
def library(tmp_path):
    """A library that takes two processes some seconds."""
    write_classes(tmp_path / "library", per_class=PER_CLASS, seconds=10.0)
    return tmp_path / "library"


def live(chordal, *arguments: str):
    """Return the live part of the status of the run that goes on, or None."""
    return chordal("status", "--json", *arguments).json.get("live")


def worker(chordal, role: str) -> psutil.Process:
    """Return the main process of a run's worker."""
    found = [p for p in chordal.live_processes() if p.info["cmdline"][-2:] == [role, "--end-with-parent"]]
    [main] = [each for each in found if each.parent() not in found]
    return main


def doing(status, role: str = "extract") -> str:
    """Return what a worker says it does."""
    return next((each["doing"] for each in status["workers"] if each["name"].startswith(role)), "") if status else ""


def settled(chordal, what: str, *arguments: str):
    """Wait until the extraction worker says that it does `what` and no worker has a task; return the live status."""

    def reached():
        status = live(chordal, *arguments)
        return status if doing(status) == what and not status["running"] else None

    return eventually(reached, within_s=120, every_s=0.3)


def slowly(chordal, library) -> None:
    """Make a home whose runs take about a second per file."""
    assert chordal("scan", library).status == 0
    assert chordal("throttle", "--files-per-minute", "60").status == 0


def ends_whole(chordal, running) -> None:
    """Wait for the end of an extraction and check that nothing is missing or doubled."""
    out, err = running.communicate(timeout=240)
    assert running.returncode == 0, err + chordal.logs()
    assert chordal("status", "--json").json["tracks"] == {"extracted": 3 * PER_CLASS, "unchanged": 0, "failed": 0}, out
    assert chordal.live_processes() == []


def test_a_pause_holds_through_the_death_of_worker_and_broker_until_it_is_lifted(chordal, library):
    # given an extraction that is paused when some files are done
    slowly(chordal, library)
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    eventually(lambda: any((chordal.home / "store").rglob("inbox/**/*.h5")), within_s=120)
    assert chordal("pause").status == 0
    paused = settled(chordal, "paused")
    assert 0 < paused["done"] < 3 * PER_CLASS
    assert paused["queues"]["extract"] == 3 * PER_CLASS - paused["done"]
    status = chordal("status", "--json").json
    assert status["files"] == {"settled": paused["done"], "of": 3 * PER_CLASS, "at_least": False}
    assert status["tracks"] == {"extracted": paused["done"], "unchanged": 0, "failed": 0}

    assert chordal("throttle", "--files-per-minute", "none").status == 0

    # when its worker and its broker die
    log = chordal.home / "logs" / "extract.log"
    worker(chordal, "extract").kill()
    eventually(lambda: log.read_text().count("takes nothing new: paused") == 2)
    [server] = [process for process in chordal.live_processes() if "valkey" in process.name()]
    server.kill()

    # then nothing goes on until it is resumed, and then everything does
    again = settled(chordal, "paused")
    assert (again["done"], again["queues"]) == (paused["done"], paused["queues"])
    assert chordal("resume").status == 0
    ends_whole(chordal, running)


def test_a_cap_holds_until_it_is_lifted(chordal, library):
    assert chordal("scan", library).status == 0
    assert chordal("throttle", "--files-per-minute", "1").status == 0
    running = chordal.start("extract", library, "--recipe", chordal.recipe)

    def capped():
        status = live(chordal)
        return status if status and status["done"] and doing(status).startswith("waiting for its turn") else None

    status = eventually(capped, within_s=120, every_s=0.3)
    assert status["done"] <= 2
    assert status["queues"]["extract"] >= 3 * PER_CLASS - 2
    assert chordal("throttle", "--files-per-minute", "none").status == 0
    ends_whole(chordal, running)


def test_pool_processes_are_as_polite_as_asked_and_so_are_their_successors(chordal, library):
    assert chordal("scan", library).status == 0
    assert chordal("pause").status == 0
    running = chordal.start("extract", library, "--recipe", chordal.recipe, "--workers", "1")
    settled(chordal, "paused")
    own = psutil.Process().nice()
    polite = min(19, own + 7)

    assert chordal("throttle", "--nice", "7", "--io", "idle").status == 0
    main = worker(chordal, "extract")
    eventually(lambda: {child.nice() for child in main.children()} == {polite}, ignoring=(psutil.Error,))
    if psutil.LINUX:
        idle = {psutil.IOPRIO_CLASS_IDLE}
        eventually(lambda: {child.ionice().ioclass for child in main.children()} == idle, ignoring=(psutil.Error,))
    main.children()[0].kill()
    eventually(lambda: {child.nice() for child in main.children()} == {polite}, ignoring=(psutil.Error,))
    assert main.nice() == own

    # and faster again
    assert chordal("throttle", "--nice", "0", "--io", "normal").status == 0
    eventually(lambda: {child.nice() for child in main.children()} == {own}, ignoring=(psutil.Error,))
    chordal("resume")
    ends_whole(chordal, running)


def test_outside_the_allowed_hours_nothing_is_started(chordal, library):
    assert chordal("scan", library).status == 0
    begin = datetime.now().astimezone() + timedelta(hours=6)
    hours = f"{begin:%H:%M}-{begin + timedelta(hours=6):%H:%M}"
    assert chordal("throttle", "--hours", hours).status == 0
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    assert settled(chordal, f"outside the hours {hours}")["done"] == 0
    assert chordal("throttle", "--hours", "none").status == 0
    ends_whole(chordal, running)


def test_a_cancelled_run_keeps_what_is_done_and_a_later_one_does_the_rest(chordal, library):
    slowly(chordal, library)
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    eventually(lambda: any((chordal.home / "store").rglob("inbox/**/*.h5")), within_s=120)
    result = chordal("cancel")
    assert result.status == 0, result.err
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    run_id = chordal("status", "--json").json["run_id"]
    assert err.splitlines()[-1].startswith(f"chordal: run {run_id}: cancelled")
    assert chordal("status", "--json").json["stage"] == "cancelled"
    assert chordal.live_processes() == []

    assert chordal("throttle", "--files-per-minute", "none").status == 0
    again = chordal("extract", library, "--recipe", chordal.recipe, "--json")
    assert again.status == 0, again.err
    tracks = again.json["tracks"]
    assert tracks["extracted"] + tracks["unchanged"] == 3 * PER_CLASS
    assert tracks["unchanged"] > 0
    assert tracks["extracted"] > 0
    assert chordal("cancel", run_id).status == 2


class Terminal:
    """A command whose standard error is a terminal."""

    def __init__(self, chordal, *arguments) -> None:
        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            chordal.command(*arguments),
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            cwd=chordal.folder,
            env=chordal.environment(TERM="xterm"),
            start_new_session=True,
        )
        chordal.started.append(self.process)
        os.close(theirs)
        self.shown = ""
        self._reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    def _read(self, ours: int) -> None:
        try:
            while data := os.read(ours, 4096):
                self.shown += data.decode()
        except OSError:
            pass  # how Linux says that the other end is closed
        os.close(ours)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        """Wait for the end and return the exit status."""
        status = self.process.wait(120)
        self._reader.join(10)
        return status


@pytest.fixture
def at_hand(chordal, tmp_path):
    """Start on a terminal to extract long files, one process; return the terminal when the first is being read."""
    (tmp_path / "long").mkdir()
    for name in ("one", "two"):
        soundfile.write(tmp_path / "long" / f"{name}.wav", sound(1, seconds=1_500.0), RATE_HZ)
    terminal = Terminal(chordal, "extract", tmp_path / "long", "--recipe", chordal.recipe, "--workers", "1")

    def reading():
        children = worker(chordal, "extract").children()
        return any(file.path.endswith(".wav") for child in children for file in child.open_files())

    eventually(reading, within_s=120, ignoring=(psutil.Error, ValueError), every_s=0.01)
    return terminal


def test_one_ctrl_c_finishes_the_file_at_hand(chordal, at_hand):
    at_hand.interrupt()
    assert at_hand.ended() == 130
    assert "press Ctrl-C again to stop at once" in " ".join(at_hand.shown.split())
    assert chordal.live_processes() == []
    assert len(list((chordal.home / "store").rglob("inbox/**/*.h5"))) == 1


def test_a_second_ctrl_c_stops_at_once(chordal, at_hand):
    at_hand.interrupt()
    eventually(lambda: "press Ctrl-C again" in at_hand.shown)
    at_hand.interrupt()
    assert at_hand.ended() == 130
    assert chordal.live_processes() == []


def test_an_urgent_run_overtakes_a_bulk_one_on_the_same_broker(chordal, library, tmp_path):
    # given a bulk run and a later, urgent one, both waiting for a paused worker
    few = 3 * 2
    write_classes(tmp_path / "few", per_class=2)
    with brokers.valkey(tmp_path / "server") as port:
        broker = f"redis://127.0.0.1:{port}/0"
        assert chordal("scan", library).status == 0
        assert chordal("pause").status == 0
        chordal.start("worker", "--queues", "extract,store", "--concurrency", "1", CHORDAL_BROKER=broker)
        settings = ("--recipe", chordal.recipe, "--broker", broker)
        bulk = chordal.start("extract", library, *settings, "--priority", "low")
        eventually(lambda: (live(chordal, "--broker", broker) or {}).get("queues", {}).get("extract") == 3 * PER_CLASS)
        urgent = chordal.start("extract", tmp_path / "few", *settings, "--priority", "high")
        settled(chordal, "paused", "--broker", broker)
        eventually(lambda: live(chordal, "--broker", broker)["queues"]["extract"] == 3 * PER_CLASS + few)
        assert "2 runs are going on" in chordal("cancel").err

        # when work goes on
        assert chordal("resume").status == 0
        for running in (urgent, bulk):
            _, err = running.communicate(timeout=240)
            assert running.returncode == 0, err + chordal.logs()

        # then the urgent one is done first
        done = {path.parts[-3]: path.stat().st_mtime_ns for path in chordal.home.glob("runs/*/sealed/00000.json")}
        first, second = sorted(done)
        assert done[second] < done[first]
