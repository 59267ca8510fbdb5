"""The lock of a home."""

import os

import pytest

from pipeline.errors import UsageError
from storage.home import holder, only_one


def test_reading_the_locks_holder_does_not_take_the_lock(tmp_path):
    assert holder(tmp_path) is None
    with only_one(tmp_path, doing="the nightly run"):
        assert holder(tmp_path) == f"process {os.getpid()} (the nightly run)"
        with pytest.raises(UsageError, match="nightly run"), only_one(tmp_path):
            pass
    assert holder(tmp_path) is None
