from conditions import eventually

from pipeline.library.scan import scan
from pipeline.library.tracks import FileStamp
from workers.watch import poll_observer
from workers.watch.changes import FileChange
from workers.watch.poll_observer import FolderPoll, changes_between


def stamp(size: int) -> FileStamp:
    return FileStamp(size_bytes=size, mtime_ns=size)


def test_what_changed_between_two_walks_is_told_by_names_and_stamps():
    known = {"same": stamp(1), "grown": stamp(2), "old name": stamp(3), "gone": stamp(4)}
    found = {"same": stamp(1), "grown": stamp(5), "new name": stamp(3), "new": stamp(6)}
    assert set(changes_between(known, found)) == {
        FileChange(kind="created", path="grown"),
        FileChange(kind="moved", path="old name"),
        FileChange(kind="created", path="new name"),
        FileChange(kind="deleted", path="gone"),
        FileChange(kind="created", path="new"),
    }


def test_a_folder_that_goes_for_a_while_has_lost_no_file(tmp_path, monkeypatch):
    library = tmp_path / "library"
    (library / "low").mkdir(parents=True)
    (library / "low" / "a.wav").write_bytes(b"a")
    changes: list[FileChange] = []
    walks: list[str] = []

    def count_walks(folders, **options):
        walks.extend(folders)
        return scan(folders, **options)

    monkeypatch.setattr(poll_observer, "scan", count_walks)
    poll = FolderPoll(str(library), 0.05, changes.append)
    poll.start()
    eventually(lambda: changes == [FileChange(kind="walk", path=str(library))], within_s=10)

    # when the folder is away for some walks, and then there with one more file and one less
    library.rename(tmp_path / "away")
    (tmp_path / "away" / "low" / "b.wav").write_bytes(b"bb")
    before = len(walks)
    eventually(lambda: len(walks) > before + 2, within_s=10)
    (tmp_path / "away").rename(library)
    eventually(lambda: len(changes) > 1, within_s=10)
    (library / "low" / "a.wav").unlink()
    eventually(lambda: len(changes) > 2, within_s=10)
    poll.stop()
    poll.join(10)
    assert changes[1:] == [
        FileChange(kind="created", path=str(library / "low" / "b.wav")),
        FileChange(kind="deleted", path=str(library / "low" / "a.wav")),
    ]


def test_a_rename_is_a_move_and_an_edit_with_the_time_put_back_is_seen():
    known = {"old name": stamp(3).replace(ctime_ns=10, inode=1), "edited": stamp(4).replace(ctime_ns=10, inode=2)}
    found = {"new name": stamp(3).replace(ctime_ns=20, inode=1), "edited": stamp(4).replace(ctime_ns=20, inode=2)}
    assert {(change.kind, change.path) for change in changes_between(known, found)} == {
        ("moved", "old name"),
        ("created", "new name"),
        ("created", "edited"),
    }
