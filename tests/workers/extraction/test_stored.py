"""What a scan found and the store has already: known without opening a file."""

import pytest

from pipeline.features.registry import family
from pipeline.features.spec import FeatureRows
from pipeline.library.tracks import Failure, FileStamp, ScannedTrack, TrackRecord, track_id
from pipeline.plans.recipe import parse_recipe
from storage import MemoryFeatureStore
from storage.home import Home
from storage.rules import deletion, retry
from workers.extraction.settled import is_settled
from workers.extraction.stored import StoredFiles, seal_stored

FAILURE = Failure(kind="too_short", reason="0.1 s of audio")
STATES = (
    "whole",
    "failed",
    "too short for it",
    "stored before",
    "scanned before",
    "deleted",
    "to be tried again",
    "of another family",
    "changed",
    "edited with the time put back",
    "another file of its size and time",
    "new",
)
SETTLED = {
    "whole": "unchanged",
    "failed": "failed",
    "too short for it": "unchanged",
    "stored before": "unchanged",
    "scanned before": "unchanged",
}
WHOLE = FileStamp(size_bytes=100, mtime_ns=5, ctime_ns=6, inode=2**64 - 1)
STAMPS = {
    "changed": WHOLE.replace(mtime_ns=6),
    "edited with the time put back": WHOLE.replace(ctime_ns=7),
    "another file of its size and time": WHOLE.replace(inode=8),
    "scanned before": FileStamp(size_bytes=100, mtime_ns=5),
}
"""As a scan finds the file; else as it was."""


def rows(spec) -> FeatureRows:
    import numpy as np

    return FeatureRows(
        values=np.zeros((1, *spec.row_shape), np.float32),
        start_s=np.zeros(1, np.float32),
        channel=np.full(1, -1, np.int8),
    )


def track(state: str, number: int = 0) -> ScannedTrack:
    path = f"/music/{state} {number}.wav"
    return ScannedTrack(track_id=track_id(path), path=path, stamp=STAMPS.get(state, WHOLE), label="a")


def store(*, per_state: int) -> MemoryFeatureStore:
    """Return a store of files in every state."""
    opened = MemoryFeatureStore()
    spec, other = family("mfcc_mean").spec, family("loudness").spec
    for state in STATES[:-1]:
        for number in range(per_state):
            path = track(state, number).path
            record = TrackRecord(
                track_id=track_id(path),
                path=path,
                stamp=FileStamp(size_bytes=100, mtime_ns=5) if state == "stored before" else WHOLE,
                sequence=1,
                content_hash=track_id(f"content of {path}"),
                duration_s=2.0,
            )
            features = {spec.key: spec}
            if state == "failed":
                record, features = record.replace(failure=FAILURE), {}
            elif state == "too short for it":
                record, features = record.replace(family_failures={spec.key: FAILURE}), {other.key: other}
            elif state == "of another family":
                features = {other.key: other}
            opened.commit(record, {key: rows(each) for key, each in features.items()}, features)
            if state == "deleted":
                opened.commit(deletion(record, 2), {}, {})
            elif state == "to be tried again":
                opened.commit(retry(record), {}, {})
    return opened


@pytest.mark.parametrize("state", STATES)
def test_a_file_is_known_when_its_own_record_is_settled(plan, state):
    opened = store(per_state=3)
    known = StoredFiles(opened.snapshot(), plan)
    tracks = [track(state, number) for number in range(3)]
    assert known.missing(tracks) == ([] if state in SETTLED else tracks)
    keys = frozenset({family("mfcc_mean").spec.key})
    assert all(is_settled(each, opened, keys) == (state in SETTLED) for each in tracks)


def test_a_shard_is_summed_up_only_when_all_of_it_is_known(plan):
    known = StoredFiles(store(per_state=3).snapshot(), plan.replace(sequence=2))
    tracks = [track(state, number) for state in SETTLED for number in range(3)]
    summary = known.summary(7, tracks)
    assert (summary.shard, summary.extracted, summary.unchanged, summary.failed) == (7, 0, 12, 3)
    assert summary.audio_s == 24.0
    assert known.summary(7, [*tracks, track("new")]) is None


def test_what_the_run_itself_extracted_counts_as_that(plan):
    summary = StoredFiles(store(per_state=2).snapshot(), plan).summary(0, [track("whole")])
    assert (summary.extracted, summary.unchanged) == (1, 0)


def test_an_empty_store_knows_nothing(plan):
    known = StoredFiles(MemoryFeatureStore().snapshot(), plan)
    assert known.missing([track("whole")]) == [track("whole")]
    assert known.summary(0, [track("whole")]) is None


def test_whether_copies_are_complete_has_to_be_read_file_by_file(tmp_path, plan, recipe):
    home = Home(tmp_path)
    augmented = plan.replace(recipe=parse_recipe(recipe + "\n[augment]\ngain_db = [-6.0, 6.0]", "test"))
    home.ledger.create(augmented)
    home.ledger.write_shard(plan.run_id, 0, [track("whole")])
    assert home.store.path.is_dir()
    seal_stored(home, augmented)
    assert home.ledger.sealed_shards(plan.run_id) == []
