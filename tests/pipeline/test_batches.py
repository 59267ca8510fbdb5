"""Values some at a time."""

from itertools import count

from pipeline.batches import batches


def test_the_last_batch_is_shorter_and_none_is_empty():
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batches(range(4), 2)) == [[0, 1], [2, 3]]
    assert list(batches([], 2)) == []


def test_no_value_is_read_before_its_batch():
    values = count()
    next(batches(values, 3))
    assert next(values) == 3
