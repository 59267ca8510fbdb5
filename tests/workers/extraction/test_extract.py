"""One extraction task, called directly, on a real store and a real broker."""

import shutil
from pathlib import Path

import pytest
import soundfile
import tag_files
from sounds import RATE_HZ, sound

from pipeline.features.registry import family
from pipeline.library.folders.walk import stamp_of
from pipeline.library.tracks import ExtractTrack, track_id
from workers.app.context import Context
from workers.extraction.extract import extract_one
from workers.extraction.job import Job

SHORT, LONG = "mfcc_mean", "mfcc_segments"
"""A family that needs hardly any sound, and one that needs 3 s."""
BESIDE = "fingerprint"
"""The family that comes with others."""


@pytest.fixture
def path(tmp_path) -> Path:
    """A good file of 3.5 s."""
    file = tmp_path / "a.wav"
    soundfile.write(file, sound(1), RATE_HZ)
    return file


def order(path: Path, *families: str, sequence: int = 1) -> ExtractTrack:
    return ExtractTrack(
        run_id="r1",
        shard=0,
        track_id=track_id(str(path)),
        path=str(path),
        stamp=stamp_of(str(path)),
        sequence=sequence,
        families=families or (SHORT,),
    )


def stored(context: Context, path: Path) -> frozenset[str]:
    record = context.store.record(track_id(str(path)))
    return frozenset(key.split("-")[0] for key in context.store.families_of(record.content_hash))


def test_a_file_delivered_twice_is_stored_once(context, path):
    first = extract_one(order(path), context)
    second = extract_one(order(path), context)
    assert first == second
    assert first.outcome == "extracted"
    assert len(context.store.snapshot()) == 1


def test_a_file_that_is_settled_is_not_opened_again(context, path):
    order_of_file = order(path)
    first = extract_one(order_of_file, context)
    path.unlink()
    assert extract_one(order_of_file, context) == first
    assert extract_one(order_of_file.replace(sequence=2), context).outcome == "unchanged"


def test_a_copy_is_recorded_and_not_decoded(context, path):
    extract_one(order(path), context)
    copy = path.with_name("copy.wav")
    shutil.copyfile(path, copy)
    receipt = extract_one(order(copy), context)
    assert receipt.outcome == "unchanged"
    record = context.store.record(track_id(str(copy)))
    assert record.reused
    assert record.duration_s == pytest.approx(3.5)


def test_a_family_asked_for_later_is_the_only_one_computed(context, path):
    extract_one(order(path), context)
    receipt = extract_one(order(path, SHORT, LONG, sequence=2), context)
    assert receipt.outcome == "extracted"
    assert stored(context, path) == {SHORT, LONG, BESIDE}


def test_a_file_is_not_decoded_for_the_families_that_come_with_others(context, path, monkeypatch):
    monkeypatch.setattr(Job, "companions", lambda *_: frozenset())
    extract_one(order(path), context)
    monkeypatch.undo()
    assert extract_one(order(path, sequence=2), context).outcome == "unchanged"
    assert stored(context, path) == {SHORT}
    extract_one(order(path, SHORT, LONG, sequence=3), context)
    assert stored(context, path) == {SHORT, LONG, BESIDE}


def test_a_family_that_comes_with_others_is_not_all_that_a_file_has(context, tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, sound(1, seconds=1.0), RATE_HZ)
    assert extract_one(order(path, LONG), context).kind == "too_short"
    assert stored(context, path) == set()


def test_a_family_a_file_cannot_have_leaves_the_others_in_place_in_any_order(context, tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, sound(1, seconds=1.0), RATE_HZ)
    # all that was asked for is impossible: the file fails
    assert extract_one(order(path, LONG), context).kind == "too_short"
    # something possible is asked for as well: it does not
    assert extract_one(order(path, LONG, SHORT, sequence=2), context).outcome == "extracted"
    assert stored(context, path) == {SHORT, BESIDE}
    # and asking again for the impossible does not undo it
    assert extract_one(order(path, LONG, sequence=3), context).outcome == "unchanged"
    record = context.store.record(track_id(str(path)))
    assert record.failure is None
    assert record.family_failures[family(LONG).spec.key].kind == "too_short"


def test_a_changed_file_is_extracted_again(context, path):
    extract_one(order(path), context)
    before = context.store.record(track_id(str(path))).content_hash
    soundfile.write(path, sound(2), RATE_HZ)
    assert extract_one(order(path, sequence=2), context).outcome == "extracted"
    assert context.store.record(track_id(str(path))).content_hash != before


def test_a_file_that_went_away_is_recorded_as_missing(context, path):
    order_of_file = order(path)
    path.unlink()
    receipt = extract_one(order_of_file, context)
    assert (receipt.outcome, receipt.kind) == ("failed", "missing")
    assert str(path) not in receipt.reason


def test_a_cancelled_run_leaves_its_files_alone(context, path):
    context.counters.cancel("r1")
    assert extract_one(order(path), context).outcome == "cancelled"
    assert len(context.store.snapshot()) == 0


def test_a_file_that_took_its_worker_down_too_often_is_not_opened_again(context, path):
    for _ in range(context.settings.attempts):
        context.counters.attempt("r1", track_id(str(path)))
    receipt = extract_one(order(path), context)
    assert (receipt.outcome, receipt.kind) == ("failed", "crashed")
    assert context.store.record(track_id(str(path))).failure.attempts == context.settings.attempts


def test_the_record_of_a_file_has_its_tags_and_that_of_its_double_its_own(context, tmp_path):
    song = tag_files.write(tmp_path / "song", "ID3 in WAV", {"genre": ["Jazz", "Rock"], "artist": ["Ann"]})
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(tag_files.frame_bytes({"genre": ["Blues"]}) + b"no sound")
    for file in (song, broken):
        extract_one(order(file), context)
    tags = context.store.record(track_id(str(song))).tags
    assert (tags.genre, tags.artist) == (("Jazz", "Rock"), ("Ann",))
    failed = context.store.record(track_id(str(broken)))
    assert failed.failure is not None
    assert failed.tags.genre == ("Blues",)
    context.store.compact(unused_s=0)
    assert context.store.record(track_id(str(song))).tags == tags
