"""Every track ever scanned is in exactly one state, derived from the home's storage alone."""

import json

import pytest

from pipeline.library.tracks import Failure, FileStamp, ScannedTrack, track_id
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.run import RunPlan
from storage import FileFeatureStore, MemoryFeatureStore, RunLedger
from storage.ledger.tracks import ScanCoverage, TrackIds, TrackLedger
from storage.rules import deletion
from storage.testing.samples import SPECS, features, record

CRASHED = Failure(kind="crashed", reason="the process died", attempts=3, host="studio")
EMPTY = Failure(kind="empty", reason="no samples")


class Home:
    """A home whose scans and extractions are written by a test, not done."""

    def __init__(self, folder, store):
        self.store = store
        self.runs = RunLedger(folder)
        self.tracks = TrackLedger(store, self.runs)
        self.sequence = 0

    def scan(self, *paths, libraries=("/m",), unreadable=(), changed=(), extract=False, close=True):
        """Scan as a command does; return the tracks that were marked."""
        self.sequence += 1
        plan = RunPlan(
            run_id=f"run-{self.sequence}",
            command=(),
            libraries=libraries,
            recipe=Recipe(name="t", title="t", models=(ModelChoice(family="svm", features="mfcc_mean"),)),
            labels="folder",
            groups=None,
            folds=None,
            seed=1,
            sequence=self.sequence,
            created=f"2026-01-01T00:00:{self.sequence:02d}+00:00",
            extract=extract,
        )
        self.runs.create(plan)
        scanned = [
            ScannedTrack(
                track_id=track_id(path),
                path=path,
                stamp=FileStamp(size_bytes=99, mtime_ns=self.sequence) if path in changed else record(path, 1).stamp,
            )
            for path in paths
        ]
        self.runs.write_shard(plan.run_id, 0, scanned)
        if not close:
            return []
        found = TrackIds()
        found.add(track.track_id for track in scanned)
        scan = ScanCoverage(sequence=self.sequence, libraries=libraries, unreadable=frozenset(unreadable))
        marks = list(self.tracks.deletions(scan, found, is_gone=lambda path: "kept" not in path))
        for mark in marks:
            self.store.commit(mark, {}, {})
        self.runs.close_scan(plan.run_id, 1, left_out=len(unreadable))
        return sorted(mark.path for mark in marks)

    def extract(self, path, number, *, failure=None):
        extracted = record(path, number, failure=failure).replace(sequence=self.sequence)
        self.store.commit(extracted, {} if failure else features(number), SPECS)
        return extracted

    def states(self):
        entries = list(self.tracks.entries())
        states = {entry.path: entry.state for entry in entries}
        assert len(states) == len(entries), "each track once"
        assert sum(self.tracks.counts().values()) == len(states)
        return states


@pytest.fixture(params=["memory", "file"])
def home(request, tmp_path):
    store = MemoryFeatureStore() if request.param == "memory" else FileFeatureStore.open(tmp_path / "store")
    return Home(tmp_path, store)


def test_a_track_goes_from_pending_to_extracted_or_failed(home):
    home.scan("/m/a", "/m/b", "/m/c")
    home.extract("/m/a", 1)
    home.extract("/m/b", None, failure=CRASHED)
    assert home.states() == {"/m/a": "extracted", "/m/b": "failed", "/m/c": "pending"}
    assert home.tracks.counts() == {"pending": 1, "extracted": 1, "failed": 1, "superseded": 0, "deleted": 0}
    (failed,) = [entry for entry in home.tracks.entries() if entry.state == "failed"]
    assert failed.failure == CRASHED


def test_what_was_extracted_of_a_file_that_changed_since_is_superseded_until_it_is_extracted_again(home):
    home.scan("/m/a", "/m/b")
    home.extract("/m/a", 1)
    home.extract("/m/b", None, failure=CRASHED)
    home.scan("/m/a", "/m/b", changed=("/m/a", "/m/b"))
    assert home.states() == {"/m/a": "superseded", "/m/b": "pending"}
    home.extract("/m/a", 2)
    assert home.states()["/m/a"] == "extracted"


def test_a_family_asked_for_later_makes_a_track_pending(home):
    home.scan("/m/a")
    home.extract("/m/a", 1)
    assert home.states() == {"/m/a": "extracted"}
    home.scan("/m/a", extract=True)
    assert home.states() == {"/m/a": "pending"}, "the run wants mfcc_mean, which is not stored"


def test_a_file_that_a_later_scan_finds_gone_is_deleted_until_it_is_seen_again(home):
    home.scan("/m/a", "/m/b", "/m/never extracted", "/m/failed")
    extracted = home.extract("/m/a", 1)
    home.extract("/m/b", 2)
    home.extract("/m/failed", None, failure=EMPTY)
    assert home.scan("/m/b") == ["/m/a", "/m/failed", "/m/never extracted"]
    gone = {"/m/a": "deleted", "/m/failed": "deleted", "/m/never extracted": "deleted"}
    assert home.states() == {"/m/b": "extracted", **gone}
    assert home.scan("/m/b") == [], "marked once"
    home.store.commit(extracted, features(1), SPECS)
    assert home.states()["/m/a"] == "deleted", "a late redelivery does not bring it back"
    home.scan("/m/a", "/m/b")
    assert home.states() == {**gone, "/m/b": "extracted", "/m/a": "pending"}
    home.extract("/m/a", 1)
    assert home.states() == {**gone, "/m/b": "extracted", "/m/a": "extracted"}


def test_only_what_a_scan_would_have_seen_is_marked(home):
    home.scan("/m/a", "/m/locked/b", "/m/locked/deep/c", "/m/kept", "/mm/d", libraries=("/m", "/mm"))
    for number, path in enumerate(("/m/a", "/m/locked/b", "/mm/d")):
        home.extract(path, number)
    assert home.scan(libraries=("/m",), unreadable=("/m/locked",)) == ["/m/a"]
    assert home.states() == {
        "/m/a": "deleted",
        "/m/locked/b": "extracted",
        "/m/locked/deep/c": "pending",
        "/m/kept": "pending",
        "/mm/d": "extracted",
    }
    assert home.scan(libraries=("/",)) == ["/m/locked/b", "/m/locked/deep/c", "/mm/d"]


def test_a_scan_that_was_not_finished_marks_nothing_and_still_tells_what_it_saw(home):
    home.scan("/m/a")
    home.extract("/m/a", 1)
    home.scan("/m/b", close=False)
    assert home.states() == {"/m/a": "extracted", "/m/b": "pending"}
    assert home.scan("/m/a") == ["/m/b"], "the next one makes up for it"


def test_augmented_copies_go_with_their_file_and_are_no_tracks(home):
    home.scan("/m/a", "/m/b")
    original = home.extract("/m/a", 1)
    copy = record("/m/a", 2).replace(track_id=track_id("copy 0"), copy_of=original.content_hash)
    home.store.commit(copy, features(2), SPECS)
    home.scan("/m/a", "/m/b")
    assert home.states() == {"/m/a": "extracted", "/m/b": "pending"}
    home.scan("/m/b")
    assert home.store.record(copy.track_id).mark == "deleted"
    assert home.states() == {"/m/a": "deleted", "/m/b": "pending"}


def test_failures_are_taken_back_by_kind(home):
    home.scan("/m/a", "/m/b", "/m/c")
    home.extract("/m/a", 1, failure=CRASHED)
    home.extract("/m/b", None, failure=EMPTY)
    home.extract("/m/c", 3)
    assert home.tracks.retry(("missing",)) == 0
    assert home.tracks.retry(("crashed",)) == 1
    assert home.states() == {"/m/a": "pending", "/m/b": "failed", "/m/c": "extracted"}
    assert home.tracks.retry() == 1
    assert home.tracks.retry() == 0
    assert home.states() == {"/m/a": "pending", "/m/b": "pending", "/m/c": "extracted"}
    home.sequence += 1
    home.extract("/m/a", 1)
    home.extract("/m/b", None, failure=EMPTY)
    assert home.states() == {"/m/a": "extracted", "/m/b": "failed", "/m/c": "extracted"}


def test_older_scans_of_the_same_libraries_are_not_read(home):
    home.scan("/m/a")
    home.scan("/m/a", "/m/b")
    (home.runs.path("run-1") / "shards" / "00000.json").write_text("{")
    assert home.states() == {"/m/a": "pending", "/m/b": "pending"}


def test_deleted_files_are_not_learned_from_even_when_a_scan_sees_them_again(home):
    from pipeline.learning.dataset.load import build_manifest

    paths = [f"/m/{label}/{number}" for label in "xy" for number in range(3)]
    for number, path in enumerate(paths):
        home.store.commit(record(path, number), features(number), SPECS)
    home.store.commit(deletion(record(paths[0], 0), 5), {}, {})
    scanned = [
        ScannedTrack(track_id=track_id(path), path=path, stamp=record(path, 1).stamp, label=path[3]) for path in paths
    ]
    families = {spec.name: key for key, spec in SPECS.items()}
    manifest = build_manifest("run", scanned, home.store.snapshot(), families)
    assert [track.path for track in manifest.tracks] == paths[1:]
    assert [(track.path, track.reason) for track in manifest.excluded] == [(paths[0], "not extracted")]


def test_a_set_of_ids_tells_what_is_missing_from_it():
    ids = TrackIds()
    assert ids.missing([]) == []
    assert ids.missing([track_id("/a")]) == [True]
    ids.add([track_id("/a"), "0" * 32, "f" * 30 + "00"])
    ids.add([track_id("/b"), track_id("/a")])
    wanted_ids = [track_id("/a"), track_id("/c"), "0" * 32, "f" * 30 + "00", "f" * 32, track_id("/b")]
    assert ids.missing(wanted_ids) == [False, True, False, False, True, False]


def test_the_ledger_can_be_told_as_json(home):
    home.scan("/m/\udcff")
    home.extract("/m/\udcff", None, failure=CRASHED)
    (entry,) = home.tracks.entries()
    assert json.loads(json.dumps(entry.to_wire())) == {
        "track_id": track_id("/m/\udcff"),
        "path": "/m/\udcff",
        "state": "failed",
        "content_hash": "",
        "failure": {"kind": "crashed", "reason": "the process died", "attempts": 3, "host": "studio"},
        "has_remark": False,
    }
