"""The home and the file that options name: what they cannot be is said in one line, and nothing is replaced by it."""

import errno
import os

import pytest

from pipeline.errors import UsageError
from workers.cli.lookup import existing_home, output_path
from workers.cli.output_files import output_file


def test_a_place_without_a_home_is_told_apart_from_one_that_can_have_none(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "unmounted").symlink_to(tmp_path / "nowhere")
    for name, words in (
        ("new", "nothing here yet; `chordal run LIBRARY` makes it"),
        ("file", "is no folder; name another"),
        ("unmounted", "a link to .*/nowhere, where nothing is; check whether that is mounted"),
    ):
        with pytest.raises(UsageError, match=words):
            existing_home(str(tmp_path / name), for_reading=True)


def test_a_device_and_a_pipe_are_replaced_by_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (os.devnull, str(tmp_path / "pipe")):
        with pytest.raises(UsageError, match=r"--out .*: is no ordinary file"):
            output_path(path)
    assert output_path(str(tmp_path / "new")) == tmp_path / "new"
    assert output_path(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("given", ["~no-such-user/x", "x" * 300])
def test_a_path_that_cannot_be_looked_at_is_refused(given):
    with pytest.raises(UsageError, match=r"--out .*: cannot be written \("):
        output_path(given)


def test_predictions_that_cannot_be_written_end_with_the_reason_and_its_own_mend(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "as where nothing can be removed either")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with (
        pytest.raises(UsageError, match=r"\(Read-only file system\); mount its file system for writing, or name"),
        output_file(str(tmp_path / "x.csv"), force=False),
    ):
        pytest.fail("there is nothing to write into")
