"""`chordal watch` with real files and real processes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import albums
import psutil
import pytest
import soundfile
from conditions import eventually
from sounds import RATE_HZ, sound, write_classes

from pipeline.errors import ChordalError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ALL = ("--settle", "1", "--workers", "1")
QUICK = ("--settle", "0.3")


@pytest.fixture
def library(tmp_path):
    """A library of six files, which nobody is writing any more: the first walk takes them all."""
    write_old_files(tmp_path / "library", per_class=2)
    return tmp_path / "library"


def write_old_files(folder, *, per_class) -> None:
    """Write a library as `write_classes` does, of files from long ago."""
    write_classes(folder, per_class=per_class)
    for path in filter(Path.is_file, folder.rglob("*")):
        os.utime(path, (0, 0))


NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")

WITHOUT_RIGHTS = (
    ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 and shutil.which("setpriv") else ()
)
"""Starts a program that must not look into everything, as root may."""

EXCHANGE = """
import ctypes, os, sys
one, other = map(os.fsencode, sys.argv[1:])
assert ctypes.CDLL(None).renameat2(-100, one, -100, other, 2) == 0
"""
"""A program that exchanges the names of two folders at once."""


def can_lose_rights() -> bool:
    """Return whether a program that is started with `WITHOUT_RIGHTS` needs rights."""
    return os.geteuid() != 0 or bool(WITHOUT_RIGHTS)


def require_namespaces() -> None:
    """Skip a test where nobody may make a namespace with mounts of its own."""
    if (
        shutil.which("unshare") is None
        or subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("no user namespaces here")


class Namespace:
    """The namespace of a process: what is mounted for it."""

    def __init__(self, pid: int) -> None:
        self._enter = ("nsenter", "--target", str(pid), "--user", "--mount", "--preserve-credentials", "sh", "-c")

    def __call__(self, script: str) -> None:
        """Run a script in it."""
        subprocess.run([*self._enter, script], check=True)


def overflow(folder: Path) -> None:
    """Change more in a folder than the kernel keeps for whoever does not read."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text("ascii"))
    if limit > 200_000:
        pytest.skip("the kernel keeps too much here")
    with (folder / "one.txt").open("wb", 0) as one, (folder / "two.txt").open("wb", 0) as two:
        for _ in range(limit // 2 + 100):  # alternately, as what is the same twice in a row is kept once
            one.write(b"1")
            two.write(b"2")


class Songs:
    """Short files with sounds of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def copy_to(self, folder: Path, *, old: bool = False) -> Path:
        """Put another one into a folder; an old one is taken by the next walk."""
        self._made += 1
        path = self._folder / f"song {self._made}.wav"
        soundfile.write(path, sound(self._made), RATE_HZ)
        if old:
            os.utime(path, (0, 0))
        return Path(shutil.copy2(path, folder))


@pytest.fixture
def songs(tmp_path):
    """Songs, to be put where they are needed."""
    (tmp_path / "songs").mkdir()
    return Songs(tmp_path / "songs")


class Watch:
    """A watch that goes on, and what it said so far."""

    def __init__(self, chordal, process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._chordal = chordal
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line.rstrip())

    def says(self, *words: str, within_s: float = 90.0) -> str:
        """Wait for a line with these words and return it."""
        try:
            return eventually(
                lambda: next((x for x in self.lines if all(w in x for w in words)), None), within_s=within_s
            )
        except AssertionError as error:
            raise AssertionError(f"{words} not in {self.lines}\n{self._chordal.logs()}") from error

    def has_extracted(self, files: int) -> None:
        """Wait until so many files are extracted in all, in one batch or several."""
        counted = re.compile(r"(\d+) extracted")
        try:
            eventually(lambda: sum(int(n) for line in self.lines for n in counted.findall(line)) == files, within_s=90)
        except AssertionError as error:
            raise AssertionError(f"{files} files not in {self.lines}\n{self._chordal.logs()}") from error

    def end(self) -> None:
        """End it by Ctrl-C, and check that nothing is left behind."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(120)
        self._reader.join(10)
        assert status == 0, self.lines
        self.process.stdout.close()
        self.process.stderr.close()
        assert "stopped watching" in self.lines[-1]
        assert self._chordal.live_processes() == []


@pytest.fixture
def watching(chordal):
    """Start a watch of some libraries, which is up when this returns."""

    def start(*arguments, prefix=()) -> Watch:
        words = ["watch", "--recipe", chordal.recipe, *ALL, *arguments]
        if prefix:
            process = subprocess.Popen(
                [*prefix, *chordal.command(*words)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=chordal.environment(),
                cwd=chordal.folder,
                start_new_session=True,
            )
            chordal.started.append(process)
        else:
            process = chordal.start(*words)
        watch = Watch(chordal, process)
        watch.says("watching")
        return watch

    return start


def runs(chordal) -> int:
    """Return how many runs the home has."""
    return len(list(chordal.home.glob("runs/*/plan.json")))


def paths(chordal) -> set[str]:
    """Return the paths of all files that the store knows."""
    from storage import FileFeatureStore

    return {record.path for record in FileFeatureStore.open(chordal.home / "store").snapshot().records()}


def test_what_comes_is_extracted_once_and_whole(chordal, watching, library, tmp_path):
    # given a library that is caught up with
    watch = watching(library)
    watch.says("6 files: 6 extracted")

    # when a file is written slowly, in pieces with pauses longer than it takes to settle
    whole = tmp_path / "whole.wav"
    soundfile.write(whole, sound(77, seconds=3.0), RATE_HZ)
    data = whole.read_bytes()
    slow = library / "low" / "slow.wav"
    pause = threading.Event()
    with slow.open("wb") as file:
        for piece in range(4):
            file.write(data[piece * len(data) // 4 : (piece + 1) * len(data) // 4])
            file.flush()
            pause.wait(1.5)
        assert runs(chordal) == 1
    watch.says("1 file: 1 extracted")
    assert runs(chordal) == 2

    # and fifty come at once
    drop = tmp_path / "drop"
    drop.mkdir()
    for number in range(50):
        soundfile.write(drop / f"{number}.wav", sound(100 + number), RATE_HZ)
    os.truncate(drop / "3.wav", (drop / "3.wav").stat().st_size - 1_000)
    drop.rename(library / "dropped")
    watch.says("50 files: 50 extracted")
    watch.says("1 file was used in part or has a remark; `chordal failures --remarks` lists it")
    assert runs(chordal) == 3

    # and one is renamed, one changed, one hidden, one no sound, one removed
    (library / "low" / "slow.wav").rename(library / "low" / "renamed.wav")
    watch.says("1 file: 1 unchanged")
    soundfile.write(library / "dropped" / "7.wav", sound(500), RATE_HZ)
    eventually(lambda: sum("1 file: 1 extracted" in line for line in watch.lines) == 2)
    (library / "dropped" / ".8.wav").write_bytes(data)
    (library / "dropped" / "notes.txt").write_text("no sound", "ascii")
    (library / "dropped" / "9.wav").unlink()
    watch.says("1 file removed")
    watch.end()

    # then everything is there, once
    assert str(library / "low" / "renamed.wav") in paths(chordal)
    assert str(library / "dropped" / ".8.wav") not in paths(chordal)
    assert runs(chordal) == 5
    assert chordal("failures", "--json").json["failures"] == []


def test_what_was_missed_is_caught_up_with_also_while_it_begins(chordal, watching, library):
    # given a watch that has ended
    watching(library).end()

    # when files come while nobody watches, and more while the next watch starts
    write_classes(library / "missed", per_class=2)
    process = threading.Thread(target=lambda: write_classes(library / "burst", per_class=5))
    process.start()
    watch = watching(library)
    process.join()

    # then all are there
    eventually(lambda: len(paths(chordal)) == 6 + 6 + 15, within_s=120, ignoring=(OSError,))
    watch.end()
    assert chordal("failures", "--json").json["failures"] == []
    again = chordal("extract", library, "--recipe", chordal.recipe, "--workers", "1", "--json")
    assert again.json["tracks"] == {"scanned": 27, "extracted": 0, "unchanged": 27, "failed": 0}


def test_an_empty_library_may_be_watched_by_looking_also_when_it_goes(chordal, watching, tmp_path, songs):
    library = tmp_path / "library"
    library.mkdir()
    watch = watching(library, "--poll", "0.5", *QUICK)
    watch.says("by looking every 0.5 s")
    write_classes(tmp_path / "new", per_class=1)
    (tmp_path / "new").rename(library / "new")
    watch.has_extracted(3)  # a slow machine may see them come in two batches

    # when it is away, and another folder comes in its place
    library.rename(tmp_path / "away")
    watch.says(f"library {library} is not there; waiting", within_s=10)
    library.mkdir()
    songs.copy_to(library, old=True)
    watch.says(f"library {library} is back; watching by looking every 0.5 s", within_s=10)
    watch.says("1 file: 1 extracted", within_s=20)
    later = songs.copy_to(library)
    eventually(lambda: str(later) in paths(chordal), within_s=20)
    assert not [line for line in watch.lines if "removed" in line]
    watch.end()


@pytest.mark.parametrize("looking", [(), ("--poll", "0.5")], ids=["told", "looking"])
def test_what_is_left_out_is_not_extracted_when_it_comes(chordal, watching, tmp_path, songs, looking):
    # given a library with patterns, and a watch with more of them
    library = tmp_path / "library"
    for name in ("Live/Demos", "Podcasts", "@eaDir"):
        (library / name).mkdir(parents=True)
    (library / "Live/.chordalignore").write_text("Demos/\n", "ascii")
    songs.copy_to(library / "Podcasts", old=True)
    watch = watching(library, "--exclude", "Podcasts/", *QUICK, *looking)
    watch.says("left out 2 by --exclude or .chordalignore: Demos/ 1, Podcasts/ 1")
    watch.says("left out 1 folder of the system: @eaDir 1")

    # when files come, one of them in a folder that comes as a whole
    for name in ("Live/Demos", "Podcasts", "@eaDir"):
        songs.copy_to(library / name)
    (tmp_path / "new/Demos").mkdir(parents=True)
    kept = [songs.copy_to(tmp_path / "new"), songs.copy_to(tmp_path / "new/Demos")]
    (tmp_path / "new").rename(library / "Live/new")
    kept = [library / "Live/new" / kept[0].name, songs.copy_to(library)]

    # then what no pattern names is extracted, and nothing else
    eventually(lambda: {str(path) for path in kept} <= paths(chordal), within_s=30, ignoring=(OSError, ChordalError))
    watch.end()
    assert paths(chordal) == {str(path) for path in kept}


def test_learning_starts_when_enough_is_new(chordal, watching, library):
    write_old_files(library, per_class=4)
    watch = watching(library, "--learn-after", "10")
    watch.says("12 files: 12 extracted")
    watch.says("learned model v0001", within_s=240)
    watch.end()
    assert len(chordal("models", "--json").json["models"]) == 1


def test_libraries_that_go_are_awaited_and_walked_when_they_are_back(chordal, watching, tmp_path, songs):
    # given four libraries: a folder, a link to one, one in a folder of its own, and one that stays
    moved, link, inner, steady = (tmp_path / "lib" / name for name in ("moved", "link", "parent/inner", "steady"))
    for folder in (moved, tmp_path / "one", tmp_path / "two", inner, steady):
        (folder / "low").mkdir(parents=True)
        songs.copy_to(folder / "low", old=True)
    link.symlink_to(tmp_path / "one")
    watch = watching(moved, link, inner, steady, *QUICK, prefix=WITHOUT_RIGHTS)
    watch.says("4 files: 4 extracted")

    # when one is renamed, one loses its parent and one its rights
    moved.rename(tmp_path / "away")
    inner.parent.rename(tmp_path / "gone")
    (tmp_path / "one").chmod(0)
    watch.says(f"library {moved} is not there; waiting", within_s=10)
    watch.says(f"library {inner} is not there; waiting", within_s=10)
    if can_lose_rights():
        watch.says(f"library {link} is not there: permission denied; waiting", within_s=10)

    # then the other one is watched on, and what was there is not removed
    songs.copy_to(steady / "low")
    watch.says("1 file: 1 extracted", within_s=20)

    # and when they are back, one with its link pointed elsewhere, they are walked and watched anew
    (moved / "low").mkdir(parents=True)
    songs.copy_to(moved / "low", old=True)
    shutil.rmtree(tmp_path / "away")
    (tmp_path / "gone").rename(inner.parent)
    (tmp_path / "one").chmod(0o755)
    watch.says(f"library {moved} is back", within_s=10)
    watch.says(f"library {inner} is back", within_s=10)
    (tmp_path / "next").symlink_to(tmp_path / "two")
    (tmp_path / "next").rename(link)
    watch.says(f"library {link} is not there: another folder has its place", within_s=10)
    watch.says(f"library {link} is back", within_s=10)
    later = [songs.copy_to(library / "low") for library in (moved, link, inner)]
    eventually(lambda: {str(path) for path in later} <= paths(chordal), within_s=20)
    assert not [line for line in watch.lines if "removed" in line]
    watch.end()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's queue and its mounts are Linux's")
def test_a_library_that_is_unmounted_is_awaited_and_nothing_in_it_is_removed(chordal, watching, tmp_path, songs):
    # given a mounted library, and one with a mount in it
    require_namespaces()
    mounted, outer = tmp_path / "my disk", tmp_path / "outer"
    for folder in (mounted, outer / "inner", outer / "low", outer / "other"):
        folder.mkdir(parents=True)
    songs.copy_to(outer / "low", old=True)
    setup = f'mount -t tmpfs none "{mounted}" && mount -t tmpfs none "{outer / "inner"}" && '
    setup += f'cp -a "{songs.copy_to(tmp_path, old=True)}" "{mounted}" && exec "$@"'
    watch = watching(mounted, outer, *QUICK, prefix=[*NAMESPACE, "sh", "-c", setup, "sh"])
    watch.says("2 files: 2 extracted")

    # when both are unmounted
    there = Namespace(watch.process.pid)
    there(f'umount "{mounted}" && umount "{outer / "inner"}"')
    watch.says(f"library {mounted} is not there: it is empty", within_s=10)
    watch.says(f"folder {outer / 'inner'} is not there: nothing is mounted there", within_s=10)

    # then what comes elsewhere is taken, and they are walked when they are back
    songs.copy_to(outer / "low")
    watch.says("1 file: 1 extracted", within_s=20)
    new, inner, last = (songs.copy_to(tmp_path) for _ in range(3))
    there(f'mount -t tmpfs none "{mounted}" && cp "{new}" "{mounted}"')
    there(f'mount -t tmpfs none "{outer / "inner"}" && cp "{inner}" "{outer / "inner"}"')
    watch.says(f"library {mounted} is back", within_s=10)
    watch.says(f"folder {outer / 'inner'} is back", within_s=10)
    expected = {str(mounted / new.name), str(outer / "inner" / inner.name)}
    eventually(lambda: expected <= paths(chordal), within_s=20)
    there(f'cp "{last}" "{mounted}"')
    eventually(lambda: str(mounted / last.name) in paths(chordal), within_s=20)

    # and folders that exchange their names, and more changes than the kernel keeps, lose no file
    subprocess.run([sys.executable, "-c", EXCHANGE, outer / "low", outer / "other"], check=True)
    watch.says("took each other's place", within_s=10)
    watch.process.send_signal(signal.SIGSTOP)
    eventually(lambda: psutil.Process(watch.process.pid).status() == psutil.STATUS_STOPPED)
    overflow(outer)
    missed = songs.copy_to(outer / "low")
    watch.process.send_signal(signal.SIGCONT)
    watch.says("more changed at once than the system keeps", within_s=20)
    eventually(lambda: str(missed) in paths(chordal), within_s=20)
    assert not [line for line in watch.lines if "removed" in line]
    watch.end()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's limit on watches is Linux's")
def test_a_kernel_that_watches_no_more_folders_is_replaced_by_looking(watching, library):
    limit = "echo 3 > /proc/sys/user/max_inotify_watches"
    require_namespaces()
    watch = watching(library, prefix=[*NAMESPACE, "sh", "-c", f'{limit} && exec "$@"', "sh"])
    watch.says("by looking every 10 s (the kernel watches no more folders; raise fs.inotify.max_user_watches")
    watch.says("6 files: 6 extracted")
    watch.end()


def test_a_library_that_is_not_there_is_refused(chordal):
    result = chordal("watch", "nowhere", "--recipe", chordal.recipe)
    assert (result.status, result.out) == (2, "")
    assert "nowhere: no such folder" in result.err


def test_an_album_that_comes_with_its_cue_sheet_comes_as_its_tracks(chordal, watching, library, tmp_path):
    # given an album that comes before its sheet, as rippers write them
    watch = watching(library)
    watch.says("6 files: 6 extracted")
    album = library / "low" / "album.flac"
    albums.write_album(tmp_path / "album.flac")
    shutil.move(tmp_path / "album.flac", album)
    watch.says("1 file: 1 extracted")
    assert str(album) in paths(chordal)

    # when the sheet comes, then its tracks are extracted; when it goes, the album is one track again
    sheet = album.with_suffix(".cue")
    sheet.write_text(albums.sheet("album.flac"), "utf-8")
    watch.says("3 files: 3 extracted")
    assert {f"{album}/{number:02d}" for number in (1, 2, 3)} <= paths(chordal)
    watch.end()
