"""Clocks of hosts that differ by hours, or jump: nothing waits for them, and nothing is done twice because of them."""

import brokers
import kills
import psutil
import pytest
from clocks import Clock
from conditions import eventually
from held import Held, end

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

FILES = 5


@pytest.fixture
def held(chordal, tmp_path):
    """A run of files that are held."""
    with brokers.valkey(tmp_path / "server") as port:
        found = Held(chordal, tmp_path, port, files=FILES)
        yield found
        found.client.close()


def kill_one_process(worker) -> None:
    """Kill the process of a worker's pool, whose task is tried again after a pause."""
    [process] = psutil.Process(worker.pid).children()
    process.kill()


@pytest.mark.parametrize("hours", [5, -5])
def test_a_host_whose_clock_is_wrong_by_hours_works_with_one_whose_clock_is_right(chordal, held, tmp_path, hours):
    # given a worker of either, each with a file in hand
    clock = Clock(tmp_path / "clock")
    clock.jump(hours=hours)
    wrong, right = held.worker("wrong", first_on_path=clock.path), held.worker("right")
    running = held.extract()
    eventually(lambda: held.started == 2)

    # when either loses its process, and its task is told to wait by its own clock
    kill_one_process(wrong)
    kill_one_process(right)
    eventually(lambda: held.started == 4)
    held.let_go()

    # then neither waits for hours, nor hands out what the other works on
    assert held.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    assert held.started == FILES + 2
    assert len(kills.stored(chordal.home)) == FILES
    end(wrong)
    end(right)


def test_a_clock_that_jumps_during_a_run_neither_stops_it_nor_fails_a_file(chordal, held, tmp_path):
    # given a host with a run in the middle
    clock = Clock(tmp_path / "clock")
    worker = held.worker("only", first_on_path=clock.path)
    running = held.extract(first_on_path=clock.path)
    eventually(lambda: held.started == 1)

    # when its clock is set ahead by days, and back by as many, and a task is tried again before and after
    for number, hours in enumerate((50, -50), start=2):
        kill_one_process(worker)
        clock.jump(hours=hours)
        eventually(lambda number=number: held.started == number)
    held.let_go()

    # then the run ends whole, and so does the next one
    assert held.tracks(running) == {"scanned": FILES, "extracted": FILES, "unchanged": 0, "failed": 0}
    assert held.started == FILES + 2
    (held.library / "0.wav").write_bytes((held.library / "1.wav").read_bytes()[:-100])
    again = held.extract(first_on_path=clock.path)
    assert held.tracks(again) == {"scanned": FILES, "extracted": 1, "unchanged": FILES - 1, "failed": 0}
    end(worker)
