"""Where compiled kernels are kept, and that whatever is wrong there keeps none from running."""

import os
import subprocess
import sys
import threading

import pytest

from pipeline.kernels import cache

MODULE = """
import logging
import sys
from pathlib import Path
import numpy as np
from pipeline.kernels import cache
from pipeline.kernels.compilation import kernel

@kernel
def summed(signal):
    total = np.float64(0)
    for value in signal:
        total += value
    return total

logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
if len(sys.argv) > 1:
    cache.keep_below(Path(sys.argv[1]), Path(sys.argv[1]) / "cache-of-me")
assert summed(np.arange(5.0)) == 10
print("loaded" if sum(summed._cache_hits.values()) else "compiled")
"""
NAME = "a-kernel.nbc"


@pytest.fixture
def place(tmp_path):
    """The folder of a module with a kernel beside which nobody can keep one, not even root: a file is in the way."""
    (tmp_path / "module.py").write_text(MODULE, "utf-8")
    (tmp_path / "__pycache__").write_text("no folder", "utf-8")
    return tmp_path


def use(place, *arguments, **environment):
    """Return what is printed where the kernel is used, by a user without a home folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    ended = subprocess.run(
        [sys.executable, place / "module.py", *arguments],
        env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
    )
    assert ended.returncode == 0, ended.stderr
    assert not list(place.rglob("~*"))
    return ended.stdout.splitlines()


@pytest.mark.slow
def test_what_cannot_be_kept_beside_its_module_is_kept_below_the_home_and_that_is_said_once(place):
    home = place / "home"
    home.mkdir()
    folder = home / "cache-of-me" / "kernels"
    assert use(place, home) == [f"compiling kernels, once: they are kept in {folder}", "compiled"]
    assert use(place, home) == ["loaded"]
    # and a file that is cut is compiled anew, and mended
    (kept,) = folder.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    assert use(place, home)[-1] == "compiled"
    assert use(place, home) == ["loaded"]


@pytest.mark.slow
def test_without_any_folder_a_kernel_is_compiled_and_that_it_will_be_again_is_said(place):
    (place / "home").write_text("no folder either", "utf-8")
    for arguments in ((), (place / "home",)):
        told, result = use(place, *arguments)
        assert told.startswith("compiling kernels at each start: there is no folder")
        assert result == "compiled"


@pytest.mark.slow
def test_the_folder_that_a_user_names_for_numba_is_the_one_that_is_used(place):
    home, named = place / "home", place / "named"
    home.mkdir()
    assert use(place, home, NUMBA_CACHE_DIR=str(named))[-1] == "compiled"
    assert use(place, home, NUMBA_CACHE_DIR=str(named)) == ["loaded"]
    assert list(named.rglob("*.nbc"))
    assert not list(home.iterdir())
    # one that cannot be, as a `~` that stands for nothing, is none
    assert use(place, home, NUMBA_CACHE_DIR="~nobody-of-this-name/kernels")[-1] == "compiled"
    assert list(home.rglob("*.nbc"))


def test_the_first_folder_that_has_a_file_whole_is_read_and_the_first_that_takes_one_is_written(tmp_path):
    barred, first, second = tmp_path / "file" / "folder", tmp_path / "first", tmp_path / "second"
    barred.parent.touch()
    assert cache.save(NAME, b"code", [barred, second]) == second
    assert cache.load(NAME, [barred, first, second]) == b"code"
    assert cache.save(NAME, b"other", [barred, first]) == first
    assert cache.load(NAME, [barred, first, second]) == b"other"
    (first / NAME).write_bytes(b"broken")
    assert cache.load(NAME, [barred, first, second]) == b"code"
    (first / NAME).unlink()
    (first / NAME).mkdir()
    assert cache.load(NAME, [first, second]) == b"code"
    assert cache.save(NAME, b"code", [first]) is None
    assert [path.name for path in first.iterdir()] == [NAME]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read and write whatever its rights say")
def test_a_folder_that_can_be_read_is_read_and_one_that_cannot_is_none(tmp_path):
    cache.save(NAME, b"code", [tmp_path])
    tmp_path.chmod(0o555)
    assert cache.load(NAME, [tmp_path]) == b"code"
    assert cache.save(NAME, b"code", [tmp_path]) is None
    assert cache.writable_folder([tmp_path]) is None
    tmp_path.chmod(0o000)
    assert cache.load(NAME, [tmp_path / "below", tmp_path]) is None
    assert cache.writable_folder([tmp_path / "below"]) is None
    tmp_path.chmod(0o755)


@pytest.fixture
def home(tmp_path):
    """A home with a folder of this user's kernels, the last choice of this process."""
    cache.keep_below(tmp_path, tmp_path / "cache-of-me")
    yield tmp_path
    cache._Settings.home = cache._Settings.fallback = None


@pytest.mark.parametrize("open_to_others", ["cache-of-me", "cache-of-me/kernels"])
def test_code_that_others_can_have_put_into_a_home_is_not_run(home, tmp_path, open_to_others):
    folder = home / "cache-of-me" / "kernels"
    assert cache.save(NAME, b"code", [folder]) == folder
    assert cache.load(NAME, [folder]) == b"code"
    assert folder.stat().st_mode & 0o077 == 0
    (home / open_to_others).chmod(0o777)
    assert cache.load(NAME, [folder]) is None
    assert cache.save(NAME, b"code", [folder]) is None
    assert cache.writable_folder([folder]) is None


def test_a_link_to_somebody_elses_folder_is_not_followed(home, tmp_path_factory):
    theirs = tmp_path_factory.mktemp("theirs")
    cache.save(NAME, b"their code", [theirs])
    folder = home / "cache-of-me" / "kernels"
    folder.parent.mkdir(mode=0o700)
    folder.symlink_to(theirs)
    assert cache.load(NAME, [folder]) is None


def test_many_writers_leave_one_whole_file(tmp_path):
    code = os.urandom(200_000)
    writers = [threading.Thread(target=cache.save, args=(NAME, code, [tmp_path])) for _ in range(8)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert cache.load(NAME, [tmp_path]) in (None, code)
    assert cache.load(NAME, [tmp_path]) == code
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_file_is_named_by_the_sources_whatever_their_age_and_place(tmp_path):
    stamps = []
    for name, text in (("a", "x = 1"), ("b", "x = 1"), ("c", "x = 2")):
        source = tmp_path / name / "module.py"
        source.parent.mkdir()
        source.write_text(text, "utf-8")
        os.utime(source, (len(stamps), len(stamps)))
        stamps.append(cache.source_stamp(source))
    assert stamps[0] == stamps[1] != stamps[2]
    assert cache.source_stamp(tmp_path / "none.py") is None
    assert cache.file_name("module.f", [stamps[0], "int64"]) != cache.file_name("module.f", [stamps[0], "int32"])
    assert cache.file_name("module.<locals>.f", []).startswith("module.-locals-.f-")
