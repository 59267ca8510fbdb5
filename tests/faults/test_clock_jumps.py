"""Clocks of hosts that differ by hours, or jump: nothing waits for them, and nothing is done twice because of them."""

import brokers
import kills
import psutil
import pytest
from blocked_run import BlockedRun, end
from clocks import Clock
from conditions import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

FILES = 5


@pytest.fixture
def blocked_run(chordal, tmp_path):
    """A run whose files are blocked in extraction."""
    with brokers.valkey(tmp_path / "server") as port:
        run = BlockedRun(chordal, tmp_path, port, files=FILES)
        yield run
        run.client.close()


def kill_one_process(worker) -> None:
    """Kill the process of a worker's pool, whose task is tried again after a pause."""
    [process] = psutil.Process(worker.pid).children()
    process.kill()


@pytest.mark.parametrize("hours", [5, -5])
def test_a_host_whose_clock_is_wrong_by_hours_works_with_one_whose_clock_is_right(
    chordal, blocked_run, tmp_path, hours
):
    # given a worker with either clock, each extracting a file
    clock = Clock(tmp_path / "clock")
    clock.jump(hours=hours)
    wrong, right = blocked_run.worker("wrong", first_on_path=clock.path), blocked_run.worker("right")
    running = blocked_run.extract()
    eventually(lambda: blocked_run.starts == 2)

    # when either loses its process, and its task is told to wait by its own clock
    kill_one_process(wrong)
    kill_one_process(right)
    eventually(lambda: blocked_run.starts == 4)
    blocked_run.release()

    # then neither waits for hours, nor redelivers a file that the other extracts
    assert blocked_run.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    assert blocked_run.starts == FILES + 2
    assert len(kills.store_contents(chordal.home)) == FILES
    end(wrong)
    end(right)


def test_a_clock_that_jumps_during_a_run_neither_stops_it_nor_fails_a_file(chordal, blocked_run, tmp_path):
    # given a host with a run in the middle
    clock = Clock(tmp_path / "clock")
    worker = blocked_run.worker("only", first_on_path=clock.path)
    running = blocked_run.extract(first_on_path=clock.path)
    eventually(lambda: blocked_run.starts == 1)

    # when its clock is set ahead by days, and back by as many, and a task is tried again before and after
    for number, hours in enumerate((50, -50), start=2):
        kill_one_process(worker)
        clock.jump(hours=hours)
        eventually(lambda number=number: blocked_run.starts == number)
    blocked_run.release()

    # then the run ends whole, and so does the next one
    assert blocked_run.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    assert blocked_run.starts == FILES + 2
    (blocked_run.library / "0.wav").write_bytes((blocked_run.library / "1.wav").read_bytes()[:-100])
    again = blocked_run.extract(first_on_path=clock.path)
    assert blocked_run.tracks(again) == {"scanned": FILES, "extracted": 1, "unchanged": FILES - 1, "failed": 0}
    end(worker)
