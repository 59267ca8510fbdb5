# ruff: noqa: D102, S101  the tests' names say what they check, and pytest explains plain asserts
"""The tests that every feature store must pass.

Subclass `FeatureStoreConformance` in a test module and give it a pytest fixture `store` that returns a new, empty one.
"""

import numpy as np
import pytest

from pipeline.errors import StoreError, UsageError
from pipeline.library.tracks import Failure, track_id
from storage.base import FeatureStore
from storage.rules import deletion, retry
from storage.testing.samples import SPECS, SPECTRA, TONES, content, features, full_record, record, rows, same_rows, spec

_CRASHED = Failure(kind="crashed", reason="the process died", attempts=3, host="studio")


class FeatureStoreConformance:
    """The guarantees of `storage.base`, as tests that pytest collects from a subclass."""

    def test_what_was_committed_is_read_back_bit_for_bit(self, store: FeatureStore) -> None:
        written = record("/music/a.wav", 1)
        assert store.commit(written, features(1), SPECS) is True
        assert store.record(written.track_id) == written
        assert store.families_of(content(1)) == set(SPECS)
        for family in (TONES, SPECTRA):
            (found,) = store.snapshot().rows(family.key, [content(1)])
            assert same_rows(found, rows(family, 1))

    def test_what_was_never_committed_is_unknown(self, store: FeatureStore) -> None:
        assert store.record(track_id("/nowhere")) is None
        assert store.families_of(content(99)) == frozenset()
        snapshot = store.snapshot()
        assert (len(snapshot), list(snapshot.records()), snapshot.record(track_id("/nowhere"))) == (0, [], None)

    def test_a_redelivered_commit_is_a_no_op(self, store: FeatureStore) -> None:
        for expected in (True, False, False):
            assert store.commit(record("/a", 1), features(1), SPECS) is expected
        store.compact()
        assert store.commit(record("/a", 1), features(1), SPECS) is False
        assert len(store.snapshot()) == 1

    def test_the_record_of_the_newest_scan_counts_whatever_the_order(self, store: FeatureStore) -> None:
        old, new = record("/a", 1, sequence=3), record("/a", 2, sequence=12)
        store.commit(new, features(2), SPECS)
        assert store.commit(old, {}, SPECS) is False
        assert store.record(old.track_id) == new
        newest = record("/a", 1, sequence=300)
        assert store.commit(newest, features(1), SPECS) is True
        assert store.record(old.track_id) == newest
        store.compact()
        assert list(store.snapshot().records()) == [newest]

    def test_a_late_redelivery_brings_its_features_but_not_its_record(self, store: FeatureStore) -> None:
        new = record("/a", 2, sequence=2)
        store.commit(new, features(2), SPECS)
        assert store.commit(record("/a", 1), features(1), SPECS) is True
        assert store.commit(record("/a", 1), features(1), SPECS) is False
        assert store.record(new.track_id) == new
        assert store.families_of(content(1)) == set(SPECS)

    def test_a_success_replaces_a_failure_of_the_same_scan_and_stays(self, store: FeatureStore) -> None:
        failed = record("/a", None, failure=_CRASHED)
        written = record("/a", 1)
        assert store.commit(failed, {}, {}) is True
        assert store.record(failed.track_id) == failed
        assert store.commit(written, features(1), SPECS) is True
        assert store.commit(failed, {}, {}) is False
        assert store.record(written.track_id) == written

    def test_a_failure_of_a_newer_scan_counts_and_the_old_features_stay(self, store: FeatureStore) -> None:
        store.commit(record("/a", 1), features(1), SPECS)
        failed = record("/a", None, sequence=2, failure=_CRASHED)
        assert store.commit(failed, {}, {}) is True
        assert store.record(failed.track_id) == failed
        assert store.families_of(content(1)) == set(SPECS)

    def test_a_deletion_stands_until_a_newer_scan_sees_the_file_again(self, store: FeatureStore) -> None:
        written = record("/a", 1)
        store.commit(written, features(1), SPECS)
        gone = deletion(written, 5)
        for expected in (True, False):
            assert store.commit(gone, {}, {}) is expected
        for late in (written, record("/a", 2, sequence=4)):
            store.commit(late, {}, {})
            assert store.record(written.track_id) == gone
        store.compact()
        assert list(store.snapshot().records()) == [gone]
        assert not gone.extracted
        back = record("/a", 1, sequence=6)
        assert store.commit(back, {}, {}) is True
        assert store.record(written.track_id) == back
        assert same_rows(store.snapshot().rows(TONES.key, [content(1)])[0], rows(TONES, 1)), "nothing is computed again"

    def test_a_deleted_file_still_tells_what_decoding_it_would_tell(self, store: FeatureStore) -> None:
        written = record("/a", 1)
        store.commit(written, features(1), SPECS)
        store.commit(deletion(written, 2), {}, {})
        for _ in range(2):
            found = store.record_of_content(content(1))
            assert found is not None, "a file that was moved is not decoded again"
            assert found.duration_s == written.duration_s
            store.compact()

    def test_a_failure_that_was_taken_back_is_no_failure_until_the_next_attempt(self, store: FeatureStore) -> None:
        failed = record("/a", 1, failure=_CRASHED)
        store.commit(failed, {}, {})
        again = retry(failed)
        assert store.commit(again, {}, {}) is True
        assert store.commit(failed, {}, {}) is False, "a late redelivery does not undo it"
        for _ in range(2):
            assert store.record(failed.track_id) == again
            assert store.record_of_content(content(1)) is None
            store.compact()
        assert store.commit(failed.replace(sequence=2), {}, {}) is True

    def test_two_paths_with_one_content_share_its_features(self, store: FeatureStore) -> None:
        store.commit(record("/a", 1), features(1), SPECS)
        other = {key: rows(family, 2) for key, family in SPECS.items()}
        assert store.commit(record("/copy of a", 1), other, SPECS) is True
        snapshot = store.snapshot()
        assert len(snapshot) == 2
        (found,) = snapshot.rows(TONES.key, [content(1)])
        assert same_rows(found, rows(TONES, 1)), "the first rows of a content stay"

    def test_a_family_can_be_added_later_and_the_record_stays(self, store: FeatureStore) -> None:
        first = record("/a", 1)
        store.commit(first, {TONES.key: rows(TONES, 1)}, SPECS)
        assert store.families_of(content(1)) == {TONES.key}
        assert store.commit(first.replace(note="later"), features(1), SPECS) is True
        assert store.families_of(content(1)) == set(SPECS)
        assert store.record(first.track_id) == first

    def test_odd_paths_notes_and_numbers_survive(self, store: FeatureStore) -> None:
        written = record("/m/\udcff \n'\" ü \U0001f3b5.wav", 1).replace(note="\udcfe", duration_s=0.1 + 0.2)
        written = written.replace(family_failures={SPECTRA.key: Failure(kind="too_short", reason="0.1 s", attempts=2)})
        store.commit(written, {TONES.key: rows(TONES, 1)}, SPECS)
        store.compact()
        assert store.record(written.track_id) == written
        assert list(store.snapshot().records()) == [written]

    def test_every_field_of_a_record_survives(self, store: FeatureStore) -> None:
        full = full_record("/a")
        for written in (full, full.replace(sequence=2, mark=None), full.replace(sequence=3, failure=None)):
            store.commit(written, {}, {})
            for _ in range(2):
                assert store.record(written.track_id) == written
                store.compact()

    def test_a_content_is_described_by_any_track_that_has_it(self, store: FeatureStore) -> None:
        assert store.record_of_content(content(1)) is None
        store.commit(record("/failed", 1, failure=_CRASHED), {}, {})
        assert store.record_of_content(content(1)) is None
        written = record("/a", 1)
        store.commit(written, features(1), SPECS)
        for _ in range(2):
            assert store.record_of_content(content(1)) == written
            store.compact()
        store.commit(record("/a", 2, sequence=2), features(2), SPECS)
        assert store.record_of_content(content(1)) is None, "no track has that content any more"
        assert store.record_of_content("") is None

    def test_a_sound_is_found_under_the_name_it_had_before(self, store: FeatureStore) -> None:
        old = record("/a", 1).replace(sound_hash=content(71), file_hash=content(1))
        store.commit(old, features(1), SPECS)
        store.commit(record("/b", 72).replace(sound_hash=content(72), file_hash=content(2)), features(72), SPECS)
        store.commit(record("/c", None), {}, SPECS)
        for _ in range(2):
            store.compact()
            assert store.content_of_sound(content(71)) == content(1)
            assert store.content_of_sound(content(72)) is None, "it has the name of its sound"
            assert store.content_of_sound(content(73)) is None
            assert store.content_of_sound("") is None
            assert store.record(old.track_id) == old
            store.commit(record("/d", 74).replace(sound_hash=content(75)), {}, SPECS)
        store.compact()
        assert store.content_of_sound(content(75)) == content(74)

    def test_no_rows_and_odd_values_survive(self, store: FeatureStore) -> None:
        odd = rows(TONES, 1)
        odd.values[0] = (np.nan, -np.inf, -0.0)
        store.commit(record("/a", 1), {TONES.key: odd, SPECTRA.key: rows(SPECTRA, 1, n=0)}, SPECS)
        for _ in range(2):
            snapshot = store.snapshot()
            assert same_rows(snapshot.rows(TONES.key, [content(1)])[0], odd)
            assert same_rows(snapshot.rows(SPECTRA.key, [content(1)])[0], rows(SPECTRA, 1, n=0))
            store.compact()

    def test_rows_come_in_the_order_of_the_contents_with_repeats(self, store: FeatureStore) -> None:
        for number in range(12):
            store.commit(record(f"/{number}", number), features(number, n=1 + number % 3), SPECS)
            if number == 7:
                store.compact()
        numbers = [5, 11, 0, 5, 8, 3, 2, 1, 4]
        found = store.snapshot().rows(SPECTRA.key, [content(number) for number in numbers])
        for number, one in zip(numbers, found, strict=True):
            assert same_rows(one, rows(SPECTRA, number, n=1 + number % 3))
        assert store.snapshot().rows(SPECTRA.key, []) == []

    def test_missing_rows_are_named(self, store: FeatureStore) -> None:
        store.commit(record("/a", 1), {TONES.key: rows(TONES, 1)}, SPECS)
        with pytest.raises(StoreError, match=content(2)):
            store.snapshot().rows(TONES.key, [content(1), content(2)])
        with pytest.raises(StoreError, match=SPECTRA.key):
            store.snapshot().rows(SPECTRA.key, [content(1)])

    def test_a_snapshot_stays_as_it_was(self, store: FeatureStore) -> None:
        for number in range(6):
            store.commit(record(f"/{number}", number), features(number), SPECS)
        before = store.snapshot()
        store.commit(record("/0", 50, sequence=2), features(50), SPECS)
        store.commit(record("/new", 51), features(51), SPECS)
        store.compact()
        store.commit(record("/1", 52, sequence=2), features(52), SPECS)
        store.compact()
        by_path = {found.path: found for found in before.records()}
        assert by_path == {f"/{number}": record(f"/{number}", number) for number in range(6)}
        assert len(before) == 6
        assert before.record(track_id("/0")) == record("/0", 0)
        assert before.families_of(content(51)) == frozenset()
        assert same_rows(before.rows(TONES.key, [content(0)])[0], rows(TONES, 0))
        assert len(store.snapshot()) == 7

    def test_compaction_changes_nothing_that_a_reader_sees(self, store: FeatureStore) -> None:
        for number in range(20):
            store.commit(record(f"/{number}", number), features(number), SPECS)
        for _ in range(3):
            snapshot = store.snapshot()
            assert sorted(found.path for found in snapshot.records()) == sorted(f"/{number}" for number in range(20))
            assert all(store.record(track_id(f"/{number}")) == record(f"/{number}", number) for number in range(20))
            assert all(snapshot.families_of(content(number)) == set(SPECS) for number in range(20))
            assert store.compact().state in {"compacted", "nothing"}
        assert store.gc().parts == 0

    def test_changing_arrays_afterwards_changes_nothing_stored(self, store: FeatureStore) -> None:
        mine = features(1)
        store.commit(record("/a", 1), mine, SPECS)
        mine[TONES.key].values[:] = 0
        store.snapshot().rows(TONES.key, [content(1)])[0].values[:] = 1
        assert same_rows(store.snapshot().rows(TONES.key, [content(1)])[0], rows(TONES, 1))

    def test_values_that_contradict_each_other_are_refused(self, store: FeatureStore) -> None:
        good = features(1)
        failed = record("/a", 1, failure=_CRASHED)
        wide = {TONES.key: rows(spec("tones", row_shape=(4,)), 1)}
        for written, brought, specs in (
            (failed, good, SPECS),
            (record("/a", None), good, SPECS),
            (deletion(record("/a", 1), 2), good, SPECS),
            (record("/a", 1), good, {}),
            (record("/a", 1), wide, SPECS),
            (record("/a", 1, sequence=-1), good, SPECS),
            (record("/a", 1).replace(track_id="../../etc/passwd"), good, SPECS),
            (record("/a", 1).replace(content_hash="xyz"), good, SPECS),
        ):
            with pytest.raises(UsageError):
                store.commit(written, brought, specs)
        assert len(store.snapshot()) == 0
