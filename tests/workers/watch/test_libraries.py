import shutil
import sys
import threading

import pytest
from conditions import eventually

from pipeline.errors import UsageError
from workers.watch import libraries, places
from workers.watch.changes import FileChange
from workers.watch.libraries import LibraryMonitor


class Monitored:
    """A monitor of two libraries, what it showed and what changed."""

    def __init__(self, folder, **options) -> None:
        self.one, self.other = folder / "one", folder / "other"
        for library in (self.one, self.other):
            (library / "low").mkdir(parents=True)
        self.lines: list[str] = []
        self.monitor = LibraryMonitor([str(self.one), str(self.other)], self.lines.append, **options)
        self.ways = self.monitor.open()
        self._changes: list[FileChange] = []

    def shows(self, words: str) -> None:
        """Wait for a line that has these words."""
        eventually(lambda: any(words in line for line in self.lines), within_s=20)

    def notices(self, kind: str, path) -> None:
        """Wait for a change."""

        def is_noticed() -> bool:
            self._changes.extend(self.monitor.changes())
            return FileChange(kind=kind, path=str(path)) in self._changes

        eventually(is_noticed, within_s=20)

    def forget(self) -> None:
        """Wait no more for what has changed so far."""
        self._changes.clear()


@pytest.fixture
def monitored(tmp_path, monkeypatch):
    """Start a monitor that looks often."""
    monkeypatch.setattr(libraries, "LOOK_S", 0.05)
    monkeypatch.setattr(libraries, "TICK_S", 0.05)
    started = []

    def start(**options) -> Monitored:
        started.append(Monitored(tmp_path, **options))
        return started[-1]

    yield start
    for each in started:
        each.monitor.close()


@pytest.mark.parametrize("poll_s", [None, 0.05])
def test_a_library_that_is_deleted_and_made_anew_is_walked_and_watched(monitored, poll_s):
    watch = monitored(poll_s=poll_s)
    watch.notices("walk", watch.one)
    shutil.rmtree(watch.one)
    watch.shows(f"library {watch.one} is not there; waiting")
    watch.notices("gone", watch.one)
    assert watch.monitor.present() == [str(watch.other)]
    watch.forget()
    (watch.one / "low").mkdir(parents=True)
    watch.shows(f"library {watch.one} is back; watching ")
    watch.notices("walk", watch.one)  # what comes before that is found by the walk, and is no change
    (watch.one / "low" / "a.wav").write_bytes(b"a")
    watch.notices("created", watch.one / "low" / "a.wav")
    assert watch.monitor.absences == 1


def test_a_library_that_is_replaced_at_once_is_walked_and_watched(monitored):
    watch = monitored()
    (watch.one / "low" / "a.wav").write_bytes(b"a")
    for _ in range(2):  # also when the new one is given the inode of the old
        watch.lines.clear()
        shutil.rmtree(watch.one)
        (watch.one / "high").mkdir(parents=True)
        watch.shows(f"library {watch.one} is back; watching ")
        watch.shows(f"library {watch.one} is not there")
    (watch.one / "high" / "b.wav").write_bytes(b"b")
    watch.notices("created", watch.one / "high" / "b.wav")


def test_a_library_that_does_not_answer_holds_no_other(monitored, monkeypatch):
    monkeypatch.setattr(libraries, "HANG_S", 0.5)
    watch = monitored()
    answers, look = threading.Event(), places.look

    def hang(library, more=()):
        if library == str(watch.one):
            answers.wait(60)
        return look(library, more)

    monkeypatch.setattr(places, "look", hang)
    watch.shows(f"library {watch.one} is not there: it does not answer; waiting")
    (watch.other / "low" / "a.wav").write_bytes(b"a")
    watch.notices("created", watch.other / "low" / "a.wav")
    answers.set()
    watch.shows(f"library {watch.one} is back")
    assert watch.monitor.missing() == {}


def test_a_folder_that_cannot_be_looked_into_is_told_and_awaited(monitored):
    watch = monitored()
    watch.monitor.await_folders(str(watch.one), {str(watch.one / "low"): "permission denied"})
    watch.shows(f"folder {watch.one / 'low'} is not there: permission denied; waiting")
    (watch.one / "low" / "a.wav").write_bytes(b"a")
    watch.shows(f"folder {watch.one / 'low'} is back; watching ")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills a thread that other systems do not have")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_whose_thread_died_is_begun_again(monitored, monkeypatch):
    from watchdog.observers.inotify import InotifyEmitter

    watch = monitored()

    def die(*_given, **_options):
        raise RuntimeError("as a mistake of somebody else's would")

    with monkeypatch.context() as patch:
        patch.setattr(InotifyEmitter, "build_and_queue_event", die)
        (watch.one / "low" / "a.wav").write_bytes(b"a")
        watch.shows(f"library {watch.one}: the watch ended and was begun again; watching ")
    watch.lines.clear()
    (watch.other / "low" / "b.wav").write_bytes(b"b")
    watch.notices("created", watch.other / "low" / "b.wav")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says how many folders it watches")
def test_it_says_how_it_watches_and_how_many_folders(monitored):
    watch = monitored()
    assert watch.ways == [f"{watch.one}, {watch.other} as the kernel tells (4 folders)"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere what is not there may be watched")
def test_a_library_that_goes_as_the_watch_begins_is_refused(tmp_path):
    (tmp_path / "one").mkdir()
    monitor = LibraryMonitor([str(tmp_path / "one")], print)
    (tmp_path / "one").rmdir()
    with pytest.raises(UsageError, match="cannot watch the libraries"):
        monitor.open()
    monitor.close()
