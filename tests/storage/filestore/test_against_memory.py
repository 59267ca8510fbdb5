"""Whatever is done in whatever order, the file store says what the store in memory says."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipeline.library.tracks import Failure, track_id
from storage import FileFeatureStore, MemoryFeatureStore
from storage.rules import deletion, retry
from storage.testing.samples import SPECS, content, record, rows, same_rows
from tests.storage.disks import watch_changes

pytestmark = pytest.mark.slow

PATHS = ("/a", "/b", "/\udcff c")
NUMBERS = range(4)
FAILURE = Failure(kind="unreadable", reason="no decoder makes sound of it")


class SimulatedKill(BaseException):
    """Instead of a kill, in one process."""


class FileStoreAgainstMemory(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.home = Path(tempfile.mkdtemp(prefix="chordal-store-"))
        self.store = FileFeatureStore.open(self.home / "store")
        self.model = MemoryFeatureStore()
        self.pinned = (self.store.snapshot(), self.model.snapshot())

    def teardown(self):
        shutil.rmtree(self.home)

    @rule(
        path=st.sampled_from(PATHS),
        number=st.sampled_from(NUMBERS),
        sequence=st.integers(0, 3),
        families=st.sets(st.sampled_from(sorted(SPECS))),
    )
    def commit(self, path, number, sequence, families):
        brought = {key: rows(SPECS[key], number) for key in families}
        written = record(path, number, sequence=sequence)
        assert self.store.commit(written, brought, SPECS) is self.model.commit(written, brought, SPECS)

    @rule(path=st.sampled_from(PATHS), sequence=st.integers(0, 3), number=st.sampled_from([None, 0]))
    def commit_failure(self, path, sequence, number):
        written = record(path, number, sequence=sequence, failure=FAILURE)
        assert self.store.commit(written, {}, {}) is self.model.commit(written, {}, {})

    @rule(path=st.sampled_from(PATHS), sequence=st.integers(0, 4))
    def delete(self, path, sequence):
        known = self.model.record(track_id(path)) or record(path, None)
        mark = deletion(known, sequence)
        assert self.store.commit(mark, {}, {}) is self.model.commit(mark, {}, {})

    @rule(path=st.sampled_from(PATHS))
    def take_back(self, path):
        known = self.model.record(track_id(path))
        if known is not None and known.failure is not None and known.mark is None:
            assert self.store.commit(retry(known), {}, {}) is self.model.commit(retry(known), {}, {}) is True

    @rule(step=st.integers(0, 30), number=st.sampled_from(NUMBERS), compacting=st.booleans())
    def crash(self, step, number, compacting):
        """Die before a change of the disk; what was not acknowledged may be there or not, but is never half there."""
        written, brought = record("/a", number, sequence=5), {key: rows(SPECS[key], number) for key in SPECS}
        steps = iter(range(step))

        def die(_name, _arguments):
            if next(steps, None) is None:
                raise SimulatedKill

        try:
            with pytest.MonkeyPatch.context() as patch, watch_changes(patch, die):
                if compacting:
                    self.store.compact()
                else:
                    self.store.commit(written, brought, SPECS)
        except SimulatedKill:
            shutil.rmtree(self.home / "store" / "tmp")  # as the clean-up of a live process would not have run
            (self.home / "store" / "tmp").mkdir()
        self.store = FileFeatureStore.open(self.home / "store")
        families = self.store.families_of(content(number))
        # A record that another of its sequence outranks is not to be seen, but its features are.
        is_there = self.store.record(written.track_id) == written or families != self.model.families_of(content(number))
        if not compacting and is_there:
            self.model.commit(written, brought, SPECS)

    @rule()
    def compact(self):
        self.store.compact()

    @rule()
    def verify(self):
        assert self.store.verify().damages == ()

    @rule()
    def open_again(self):
        self.store = FileFeatureStore.open(self.home / "store")

    @rule()
    def pin(self):
        self.pinned = (self.store.snapshot(), self.model.snapshot())

    @rule()
    def collect(self):
        assert self.store.gc().parts == 0

    @invariant()
    def both_say_the_same(self):
        for path in PATHS:
            assert self.store.record(track_id(path)) == self.model.record(track_id(path))
        for number in NUMBERS:
            mine, theirs = (store.record_of_content(content(number)) for store in (self.store, self.model))
            assert (mine is None) == (theirs is None)
            assert self.store.families_of(content(number)) == self.model.families_of(content(number))
        self.compare(self.store.snapshot(), self.model.snapshot())
        self.compare(*self.pinned)

    def compare(self, mine, theirs):
        assert len(mine) == len(theirs)
        by_path = {found.path: found for found in mine.records()}
        assert by_path == {found.path: found for found in theirs.records()}
        for path in PATHS:
            assert mine.record(track_id(path)) == by_path.get(path)
        for key in SPECS:
            stored = [content(number) for number in NUMBERS if key in theirs.families_of(content(number))]
            assert stored == [content(number) for number in NUMBERS if key in mine.families_of(content(number))]
            both = zip(mine.rows(key, stored), theirs.rows(key, stored), strict=True)
            assert all(same_rows(one, other) for one, other in both)


FileStoreAgainstMemory.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestFileStoreAgainstMemory = FileStoreAgainstMemory.TestCase
