from pipeline.library.tracks import FileStamp
from workers.watch.arrivals import BATCH_FILES, BATCH_S, OPEN_S, Arrivals


class Disk:
    """Files by name and size; the test passes the time."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}

    def stamp(self, path: str) -> FileStamp | None:
        size = self.sizes.get(path)
        return None if size is None else FileStamp(size_bytes=size, mtime_ns=size)


def arriving(**sizes: int) -> tuple[Disk, Arrivals]:
    disk = Disk()
    disk.sizes.update(sizes)
    return disk, Arrivals(disk.stamp, settle_s=3.0)


def test_a_file_is_ready_when_it_has_not_changed_for_a_while():
    disk, arrivals = arriving(a=1)
    arrivals.note("a", 0.0)
    assert arrivals.batch(2.9) == {}
    disk.sizes["a"] = 2
    assert arrivals.batch(3.0) == {}
    assert arrivals.batch(5.9) == {}
    assert arrivals.batch(6.0) == {"a": FileStamp(size_bytes=2, mtime_ns=2)}
    assert arrivals.batch(60.0) == {}


def test_a_file_that_is_open_is_waited_for_longer():
    _, arrivals = arriving(a=1)
    arrivals.note("a", 0.0, written=True)
    assert arrivals.batch(10.0) == {}
    arrivals.note_close("a", 10.0)
    assert list(arrivals.batch(13.0)) == ["a"]
    # and one whose end nobody tells comes at last
    arrivals.note("a", 20.0, written=True)
    assert list(arrivals.batch(20.0 + OPEN_S)) == ["a"]


def test_where_closing_is_not_reported_an_open_file_is_not_known():
    disk = Disk()
    disk.sizes["a"] = 1
    arrivals = Arrivals(disk.stamp, settle_s=3.0, reports_close=False)
    arrivals.note("a", 0.0, written=True)
    assert list(arrivals.batch(3.0)) == ["a"]


def test_what_comes_together_is_one_batch():
    _, arrivals = arriving(a=1, b=1)
    arrivals.note("a", 0.0)
    arrivals.note("b", 2.0)
    assert arrivals.batch(3.5) == {}
    assert sorted(arrivals.batch(5.0)) == ["a", "b"]


def test_a_batch_does_not_wait_for_ever():
    disk, arrivals = arriving(a=1, growing=1)
    arrivals.note("a", 0.0)
    for second in range(4, 4 + int(BATCH_S), 2):
        disk.sizes["growing"] = second
        arrivals.note("growing", float(second))
        assert arrivals.batch(float(second)) == {}
    assert list(arrivals.batch(4.0 + BATCH_S)) == ["a"]


def test_a_full_batch_does_not_wait():
    names = {f"{number}": 1 for number in range(BATCH_FILES)}
    _, arrivals = arriving(**names, late=1)
    for name in names:
        arrivals.note(name, 0.0)
    arrivals.note("late", 2.0)
    assert len(arrivals.batch(3.0)) == BATCH_FILES


def test_a_file_that_goes_is_forgotten():
    disk, arrivals = arriving(a=1, b=1, c=1)
    for name in "abc":
        arrivals.note(name, 0.0)
    arrivals.forget("a")
    del disk.sizes["b"]
    assert list(arrivals.batch(3.0)) == ["c"]
