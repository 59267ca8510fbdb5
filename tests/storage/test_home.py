"""The lock of a home."""

import os

import pytest

from pipeline.errors import UsageError
from storage.home import home_lock, lock_holder


def test_reading_the_locks_holder_does_not_take_the_lock(tmp_path):
    assert lock_holder(tmp_path) is None
    with home_lock(tmp_path, purpose="the nightly run"):
        assert lock_holder(tmp_path) == f"process {os.getpid()} (the nightly run)"
        with pytest.raises(UsageError, match="nightly run"), home_lock(tmp_path):
            pass
    assert lock_holder(tmp_path) is None
