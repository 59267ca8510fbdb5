"""Processes that read tags: none of them takes more than one file with it."""

import os
import signal
import threading
from pathlib import Path

import pytest
import tag_files
from conditions import eventually

from pipeline.library.tags.tags import READER, Tags
from workers.processes import tag_readers
from workers.processes.tag_readers import UNREADABLE, TagReaders


@pytest.fixture
def songs(tmp_path) -> list[str]:
    """Sixty songs, each with a genre of its own."""
    return [str(tag_files.write(tmp_path / f"{number:02d}", "FLAC", {"genre": [f"G{number}"]})) for number in range(60)]


@pytest.fixture
def readers():
    opened = TagReaders(["genre", "style"], processes=2)
    yield opened
    opened.close()


def genres(found: list[Tags | None]) -> list[str]:
    return ["".join(tags.genre) if tags is not None else "none" for tags in found]


def test_tags_come_in_the_order_of_the_files_from_several_processes(readers, songs):
    assert genres(readers.read([*songs, "/none.flac"])) == [*(f"G{number}" for number in range(60)), "none"]
    assert len(readers._started) == 2
    assert readers.read(songs[:1])[0].extra == {"style": ()}
    assert readers.read([]) == []


def test_names_with_odd_bytes_are_read(readers, tmp_path, songs):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/b\n\xff\xe4.flac")
    try:
        Path(odd).write_bytes(Path(songs[7]).read_bytes())
    except OSError:
        pytest.skip("this file system has no such names")
    assert genres(readers.read([odd])) == ["G7"]


def test_a_file_that_no_process_gets_done_with_costs_that_file_only(readers, songs, tmp_path, monkeypatch):
    monkeypatch.setattr(tag_readers, "LIMIT_S", 1.0)
    endless = tmp_path / "endless.flac"
    os.mkfifo(endless)  # opening it waits for somebody who writes
    songs[3] = str(endless)
    found = readers.read(songs)
    assert found[3] == UNREADABLE
    assert found[3].answers(["genre"])  # so that it is not tried again until it changes
    assert genres(found[:3] + found[4:]) == [f"G{number}" for number in range(60) if number != 3]


def test_a_process_that_is_killed_is_replaced(readers, songs):
    readers.read(songs[:1])
    os.kill(readers._started[0]._process.pid, signal.SIGKILL)
    readers._started[0]._process.wait()
    assert genres(readers.read(songs)) == [f"G{number}" for number in range(60)]


def test_closing_ends_a_process_in_the_middle_of_a_file(tmp_path):
    endless = tmp_path / "endless.flac"
    os.mkfifo(endless)
    readers = TagReaders(processes=1)
    found = []
    thread = threading.Thread(target=lambda: found.append(readers.read([str(endless)])))
    thread.start()
    eventually(lambda: readers._started)
    process = readers._started[0]._process
    readers.close()
    thread.join(10)
    assert process.poll() is not None
    assert found == [[UNREADABLE]] or not found
    assert UNREADABLE.reader == READER
