"""A scan marks what is gone; `status`, `failures` and `retry` read the ledger."""

import csv
import io
import json
import os
import shutil

import pytest
import soundfile
from sounds import RATE_HZ, sound, write_classes

from pipeline.library.folders.walk import stamp_of
from pipeline.library.tracks import Failure, FileStamp, ScannedTrack, TrackRecord, track_id
from pipeline.plans.recipe import parse_recipe
from storage.home import Home, home_lock
from workers.cli import main
from workers.extraction import orders as extraction_orders
from workers.extraction.settled import is_file_settled
from workers.runs.progress import View
from workers.runs.request import RunRequest
from workers.runs.scan import scan_libraries

RECIPE = 'name = "t"\ntitle = "t"\n[[models]]\nfamily = "svm"\nfeatures = "mfcc_mean"'


@pytest.fixture
def library(tmp_path):
    write_classes(tmp_path / "library", per_class=3, seconds=0.2)
    return tmp_path / "library"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHORDAL_HOME", str(tmp_path / "home"))
    return Home(tmp_path / "home")


def scan(home, *libraries):
    """Scan as `chordal extract` does; return the scanned run."""
    request = RunRequest(
        command=("chordal",),
        libraries=tuple(map(str, libraries)),
        recipe=parse_recipe(RECIPE, "test"),
        learn=False,
    )
    with View(quiet=True) as view:
        return scan_libraries(home, request, view)


def store(home, path, **changes):
    facts = path.stat()
    record = TrackRecord(
        track_id=track_id(str(path)),
        path=str(path),
        stamp=FileStamp(size_bytes=facts.st_size, mtime_ns=facts.st_mtime_ns),
        sequence=1,
        content_hash=track_id(str(path)),
    ).replace(**changes)
    home.store.commit(record, {}, {})
    return record


def order(plan, path):
    """Return the order to extract a file as it is now."""
    track = ScannedTrack(track_id=track_id(str(path)), path=str(path), stamp=stamp_of(str(path)))
    return extraction_orders.orders(plan, 0, [track])[0]


def chordal(capsys, *arguments):
    """Run a command in this process; return its exit status and what it printed."""
    status = 0
    try:
        main(list(arguments))
    except SystemExit as end:
        status = end.code
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_first_scan_makes_no_store(home, library):
    assert scan(home, library).found.gone == 0
    assert not home.has_store


def test_a_removed_file_is_marked_by_the_next_scan_and_comes_back_with_the_one_that_sees_it(home, library):
    scan(home, library)
    path = library / "low" / "low 0.wav"
    record = store(home, path)
    path.rename(library.parent / "away.wav")
    scanned = scan(home, library)
    assert scanned.found.gone == 1
    marked = home.store.record(record.track_id)
    assert (marked.mark, marked.sequence, marked.path) == ("deleted", scanned.plan.sequence, str(path))
    assert scan(home, library).found.gone == 0
    (library.parent / "away.wav").rename(path)
    plan = scan(home, library).plan
    tracks = home.ledger.shard(plan.run_id, 0)
    orders = extraction_orders.orders_missing(plan, 0, tracks, home.store.snapshot())
    assert str(path) in {order.path for order in orders}, "it is extracted again, though its stamp is the old one"
    assert not is_file_settled(marked, record.stamp, frozenset(), home.store)


def test_a_folder_that_cannot_be_listed_marks_nothing_below_it(home, library, monkeypatch):
    for path in library.rglob("*.*"):
        store(home, path)
    # Root may list what others may not: the refusal is simulated, not set.
    listing = os.scandir

    def refusing(path):
        if str(path) == str(library / "low"):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    shutil.rmtree(library / "low")
    (library / "low").mkdir()
    (library / "high" / "high 0.wav").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        found = scan(home, library).found
    assert (len(found.unreadable), found.gone) == (1, 1)
    assert home.store.record(track_id(str(library / "low" / "low 0.wav"))).mark is None
    assert scan(home, library).found.gone == 3, "now it can be listed, and they are gone"


def test_a_scan_of_one_library_marks_nothing_of_another(home, library, tmp_path):
    write_classes(tmp_path / "other", per_class=2, seconds=0.2)
    for path in (tmp_path / "other").rglob("*.wav"):
        store(home, path)
    shutil.rmtree(tmp_path / "other")
    assert scan(home, library).found.gone == 0


def test_a_file_that_is_there_though_the_scan_did_not_see_it_is_not_marked(home, library):
    linked = library.parent / "linked"
    linked.symlink_to(library)
    path = linked / "low" / "low 0.wav"
    store(home, path)
    assert scan(home, linked, library).found.gone == 0
    assert scan(home, library, linked).found.gone == 0, "seen under its real path now, and still there"


def test_status_counts_the_tracks_of_the_home_by_state(home, library, capsys):
    scan(home, library)
    store(home, library / "low" / "low 0.wav", failure=Failure(kind="empty", reason="no samples"))
    status, out, _ = chordal(capsys, "status", "--json")
    assert status == 0
    assert json.loads(out)["ledger"] == {"pending": 8, "extracted": 0, "failed": 1, "superseded": 0, "deleted": 0}
    assert "pending 8" in chordal(capsys, "status")[1]


def test_failures_are_listed_as_a_table_as_csv_and_as_json(home, library, capsys):
    scan(home, library)
    path = library / "low" / "low 0.wav"
    failure = Failure(kind="crashed", reason='took its worker down, "again"\n', attempts=3, host="studio")
    store(home, path, failure=failure)
    store(home, library / "low" / "low 1.flac", failure=failure, mark="deleted")
    (row,) = csv.DictReader(io.StringIO(chordal(capsys, "failures", "--csv")[1]))
    assert row == {"path": str(path), "copy": "", "family": "", **{k: str(v) for k, v in failure.to_wire().items()}}
    assert json.loads(chordal(capsys, "failures", "--json")[1])["failures"] == [
        {"path": str(path), "copy": "", "family": "", **failure.to_wire()}
    ]
    assert "crashed" in chordal(capsys, "failures")[1]


def test_retry_makes_the_next_run_extract_failed_files_again(home, library, capsys):
    plan = scan(home, library).plan
    tracks = home.ledger.shard(plan.run_id, 0)
    for track, kind in zip(tracks, ("crashed", "empty", "missing"), strict=False):
        home.store.commit(
            TrackRecord(
                track_id=track.track_id,
                path=track.path,
                stamp=track.stamp,
                sequence=plan.sequence,
                content_hash="",
                failure=Failure(kind=kind, reason="whatever"),
            ),
            {},
            {},
        )

    def ordered():
        orders = extraction_orders.orders_missing(plan, 0, tracks, home.store.snapshot())
        return {order.path for order in orders} & {track.path for track in tracks[:3]}

    assert ordered() == set()
    assert chordal(capsys, "retry", "--kind", "crashed", "--kind", "missing")[1] == (
        "2 failed files will be tried again by the next run\n"
    )
    assert ordered() == {tracks[0].path, tracks[2].path}
    assert chordal(capsys, "retry", "--kind", "crashed")[1] == "no failures of kind crashed, nothing to try again\n"
    assert json.loads(chordal(capsys, "retry", "--json")[1]) == {"retried": 1}
    assert ordered() == {track.path for track in tracks[:3]}


def test_retry_refuses_what_it_cannot_do_in_one_line(home, library, capsys):
    def refused(*words):
        status, out, err = chordal(capsys, "retry", *words)
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        return err

    assert "nothing here yet" in refused()
    scan(home, library)
    assert home.store
    assert "'broken' is not one of 'unreadable'" in refused("--kind", "broken")
    with home_lock(home.path):
        assert "in use by process" in refused()


def test_a_decoded_file_that_comes_back_is_not_decoded_again(running, library, home):
    from workers.app.context import Context
    from workers.app.settings import Settings
    from workers.extraction.extract import extract_one

    context = Context(Settings(home=str(home.path), broker=running.broker))
    plan = scan(context, library).plan
    path = library / "low" / "low 0.wav"
    soundfile.write(path, sound(7), RATE_HZ)
    first = order(plan, path)
    assert extract_one(first, context).outcome == "extracted"
    stored = context.store.record(first.track_id)
    moved = library / "high" / "moved.wav"
    path.rename(moved)
    plan = scan(context, library).plan
    assert context.store.record(first.track_id).mark == "deleted"
    again = order(plan, moved)
    receipt = extract_one(again, context)
    assert (receipt.outcome, receipt.audio_s) == ("unchanged", stored.duration_s)
    record = context.store.record(again.track_id)
    assert (record.mark, record.reused, record.content_hash) == (None, True, stored.content_hash)
