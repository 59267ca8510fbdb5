"""Long logs are put aside while processes write to them."""

import subprocess
import sys

import pytest
from conditions import eventually

from workers.processes import logs

WRITER = """
import sys, threading
with open(sys.argv[1], "ab", buffering=0) as log:
    for number in range(100_000):
        log.write(b"line %06d\\n" % number)
        threading.Event().wait(0.002)
"""


def test_a_short_log_stays_and_a_long_one_replaces_the_last_one_that_was_put_aside(tmp_path):
    (tmp_path / "beat.log").write_text("short\n", "utf-8")
    (tmp_path / "extract.log").write_text("new\n" * 10, "utf-8")
    (tmp_path / "extract.log.1").write_text("old\n", "utf-8")
    assert logs.put_aside(tmp_path, longest=20) == [tmp_path / "extract.log"]
    contents = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    assert contents == {"beat.log": "short\n", "extract.log": "", "extract.log.1": "new\n" * 10}
    assert logs.put_aside(tmp_path / "nowhere") == []


@pytest.mark.slow
def test_whoever_writes_goes_on_at_the_new_beginning_and_no_line_is_lost(tmp_path):
    log = tmp_path / "extract.log"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, log])
    try:
        lines: list[str] = []
        for _ in range(3):
            eventually(lambda: log.exists() and log.stat().st_size > 500)
            assert logs.put_aside(tmp_path, longest=500) == [log]
            lines += (tmp_path / "extract.log.1").read_text("ascii").splitlines()
        eventually(lambda: log.stat().st_size > 500)
    finally:
        writer.kill()
        writer.wait()
    lines += log.read_text("ascii").splitlines()
    assert lines == [f"line {number:06d}" for number in range(len(lines))]


def test_where_there_is_no_room_for_a_copy_the_log_stays_whole(tmp_path, monkeypatch):
    (tmp_path / "extract.log").write_text("new\n" * 10, "utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logs.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        logs.put_aside(tmp_path, longest=20)
    assert [path.name for path in tmp_path.iterdir()] == ["extract.log"]
    assert (tmp_path / "extract.log").read_text("utf-8") == "new\n" * 10
