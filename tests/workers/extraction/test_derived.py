"""Copies and chunks in an extraction task: computed once, recorded under ids of their own, waited for by the seal."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE_HZ, sound

from pipeline.errors import UnreadableError, UnsupportedError
from pipeline.extraction import copies as extraction_copies
from pipeline.extraction.derived import derived_chunks
from pipeline.features.registry import family
from pipeline.library.tracks import ExtractTrack, FileStamp, ScannedTrack, track_id
from pipeline.plans.augmentation import AugmentPlan, variations
from pipeline.plans.run import RunPlan
from workers.app.context import Context
from workers.extraction import derived, orders, settled
from workers.extraction.extract import extract_one

RECIPE = """
name = "t"
title = "t"
[augment]
copies = 2
gain_db = [-12, -6]
snr_db = [20, 30]
[[models]]
family = "svm"
features = "loudness"
"""
SHORT, LONG = "mfcc_mean", "mfcc_segments"
"""A family that needs hardly any sound, and one that needs 3 s."""
SLOWER = AugmentPlan(copies=1, speed=(1.3, 1.3))


@pytest.fixture
def recipe() -> str:
    """A recipe that asks for copies."""
    return RECIPE


@pytest.fixture
def path(tmp_path) -> Path:
    """A good file of 3.5 s."""
    file = tmp_path / "a.wav"
    soundfile.write(file, sound(1), RATE_HZ)
    return file


def scanned(path: Path, label: str | None = "a") -> ScannedTrack:
    facts = path.stat()
    stamp = FileStamp(size_bytes=facts.st_size, mtime_ns=facts.st_mtime_ns)
    return ScannedTrack(track_id=track_id(str(path)), path=str(path), stamp=stamp, label=label)


def order(plan: RunPlan, path: Path, context: Context, label: str | None = "a") -> ExtractTrack:
    [made] = orders.orders_missing(plan, 0, [scanned(path, label)], context.store.snapshot())
    return made


def is_settled(plan: RunPlan, path: Path, context: Context, label: str | None = "a") -> bool:
    return not orders.orders_missing(plan, 0, [scanned(path, label)], context.store.snapshot())


def copies(context: Context, path: Path, augment: AugmentPlan):
    """Return the records of a file's copies."""
    return [context.store.record(augment.track_id(track_id(str(path)), copy)) for copy in range(1, augment.copies + 1)]


def test_copies_are_stored_under_their_own_content_with_their_parameters(context, path, plan):
    receipt = extract_one(order(plan, path, context), context)
    assert receipt.outcome == "extracted"
    original = context.store.record(track_id(str(path)))
    snapshot, key = context.store.snapshot(), family("loudness").spec.key
    [own] = snapshot.rows(key, [original.content_hash])
    level = family("loudness").spec.columns.index("rms_db")
    for variation, record in zip(
        variations(plan.recipe.augment, original.content_hash), copies(context, path, plan.recipe.augment), strict=True
    ):
        assert record.content_hash == variation.content_key(original.content_hash)
        assert record.copy_of == original.content_hash
        assert record.note == str(variation)
        assert record.duration_s == original.duration_s
        [rows] = snapshot.rows(key, [record.content_hash])
        assert rows.values.shape == own.values.shape
        assert not np.array_equal(rows.values, own.values)
        fallen_db = np.median(own.values[:, level] - rows.values[:, level])
        assert fallen_db == pytest.approx(-variation.gain_db, abs=0.5)


def test_a_shard_waits_for_the_copies_of_its_labelled_files(context, path, plan):
    first = order(plan, path, context)
    extract_one(first.replace(augment=None), context)
    assert not is_settled(plan, path, context)
    assert is_settled(plan, path, context, label=None)
    extract_one(first, context)
    assert is_settled(plan, path, context)


def test_delivered_twice_copies_are_computed_once(context, path, plan, monkeypatch):
    first = order(plan, path, context)
    extract_one(first, context)
    monkeypatch.setattr(extraction_copies, "extract", None)
    assert extract_one(first, context).outcome == "extracted"
    assert len(context.store.snapshot()) == 3


def test_a_duplicate_of_a_file_shares_the_copies_of_its_content(context, path, plan, monkeypatch):
    extract_one(order(plan, path, context), context)
    twin = path.with_name("twin.wav")
    shutil.copyfile(path, twin)
    monkeypatch.setattr(extraction_copies, "extract", None)
    assert extract_one(order(plan, twin, context), context).outcome == "unchanged"
    ours, theirs = (copies(context, file, plan.recipe.augment) for file in (path, twin))
    assert [record.content_hash for record in ours] == [record.content_hash for record in theirs]
    assert all(record.reused and record.path == str(twin) for record in theirs)
    assert is_settled(plan, twin, context)


def test_a_family_asked_for_later_is_the_only_one_computed_of_a_copy(context, path, plan):
    first = order(plan, path, context)
    extract_one(first, context)
    [before, _] = copies(context, path, plan.recipe.augment)
    loudness = context.store.snapshot().rows(family("loudness").spec.key, [before.content_hash])[0].values
    extract_one(first.replace(sequence=2, families=("loudness", SHORT)), context)
    [after, _] = copies(context, path, plan.recipe.augment)
    assert after.content_hash == before.content_hash
    assert context.store.families_of(after.content_hash) == {family(name).spec.key for name in ("loudness", SHORT)}
    again = context.store.snapshot().rows(family("loudness").spec.key, [after.content_hash])[0].values
    np.testing.assert_array_equal(again, loudness)


def test_a_changed_file_has_other_copies(context, path, plan):
    extract_one(order(plan, path, context), context)
    before = copies(context, path, plan.recipe.augment)
    soundfile.write(path, sound(2), RATE_HZ)
    changed = order(plan.replace(sequence=2), path, context)
    extract_one(changed, context)
    after = copies(context, path, plan.recipe.augment)
    assert [record.track_id for record in before] == [record.track_id for record in after]
    assert not {record.content_hash for record in before} & {record.content_hash for record in after}
    assert is_settled(plan, path, context)


def test_a_copy_too_short_for_a_family_leaves_the_original_whole_and_is_settled(context, path, plan):
    order_of_file = order(plan, path, context).replace(augment=SLOWER, families=(SHORT, LONG))
    assert extract_one(order_of_file, context).outcome == "extracted"
    [record] = copies(context, path, SLOWER)
    assert record.duration_s == pytest.approx(3.5 / 1.3, abs=0.01)
    assert record.failure is None
    assert record.family_failures[family(LONG).spec.key].kind == "too_short"
    keys = frozenset(family(name).spec.key for name in (SHORT, LONG))
    assert settled.is_settled(scanned(path), context.store.snapshot(), keys, SLOWER)


@pytest.mark.parametrize(
    ("error", "kind"), [(UnsupportedError("not this one"), "unsupported"), (ValueError("odd"), "crashed")]
)
def test_a_copy_that_fails_is_a_record_and_not_the_files_failure(context, path, plan, monkeypatch, error, kind):
    def fail(*_, **__):
        raise error
        yield

    monkeypatch.setattr(extraction_copies, "apply_variation", fail)
    assert extract_one(order(plan, path, context), context).outcome == "extracted"
    assert {record.failure.kind for record in copies(context, path, plan.recipe.augment)} == {kind}
    assert context.store.record(track_id(str(path))).failure is None
    assert is_settled(plan, path, context)


def test_copies_that_take_the_worker_down_are_given_up_and_the_original_stands(context, path, plan):
    order_of_file = order(plan, path, context)
    extract_one(order_of_file.replace(augment=None), context)
    for _ in range(context.settings.attempts):
        context.counters.attempt("r1", order_of_file.track_id)
    extract_one(order_of_file, context)
    assert context.store.record(order_of_file.track_id).failure is None
    assert {record.failure.kind for record in copies(context, path, plan.recipe.augment)} == {"crashed"}
    assert is_settled(plan, path, context)


def test_a_copy_that_fails_over_a_family_asked_for_later_is_settled(context, path, plan, monkeypatch):
    first = order(plan, path, context)
    extract_one(first, context)

    def fail(*_, **__):
        raise ValueError("odd")
        yield

    monkeypatch.setattr(extraction_copies, "apply_variation", fail)
    extract_one(first.replace(sequence=2, families=("loudness", SHORT)), context)
    assert {record.failure.kind for record in copies(context, path, plan.recipe.augment)} == {"crashed"}
    keys = frozenset(family(name).spec.key for name in ("loudness", SHORT))
    assert settled.is_settled(scanned(path), context.store.snapshot(), keys, plan.recipe.augment)


def test_a_file_that_cannot_be_read_has_no_copies(context, tmp_path, plan):
    path = tmp_path / "bad.wav"
    path.write_bytes(b"no sound")
    assert extract_one(order(plan, path, context), context).outcome == "failed"
    assert is_settled(plan, path, context)
    assert len(context.store.snapshot()) == 1


@pytest.fixture
def chunked(plan) -> RunPlan:
    """A run that cuts files into chunks of 1.5 s."""
    return plan.replace(recipe=plan.recipe.replace(augment=None), chunk_s=1.5)


def chunks(context: Context, path: Path):
    """Return the records of a file's chunks, None for one that has none."""
    original = context.store.record(track_id(str(path)))
    return [context.store.record(chunk.track_id) for chunk in derived_chunks(original, 1.5)]


def test_chunks_are_stored_beside_their_file_and_computed_once(context, path, chunked, monkeypatch):
    first = order(chunked, path, context)
    extract_one(first, context)
    original = context.store.record(track_id(str(path)))
    assert [(record.copy_of, record.duration_s) for record in chunks(context, path)] == [
        (original.content_hash, 1.5), (original.content_hash, 2.0)
    ]  # fmt: skip
    assert is_settled(chunked, path, context)
    monkeypatch.setattr(derived, "extract_chunks", None)
    assert extract_one(first, context).outcome == "extracted"


def test_the_chunks_of_a_duplicate_are_found_by_their_content(context, path, chunked):
    extract_one(order(chunked, path, context), context)
    twin = path.with_name("twin.wav")
    shutil.copyfile(path, twin)
    extract_one(order(chunked, twin, context), context)
    assert chunks(context, twin) == [None, None]
    assert is_settled(chunked, twin, context)


def test_when_cutting_breaks_off_the_chunks_before_stand_and_the_rest_has_failed(context, path, chunked, monkeypatch):
    extract_chunks = derived.extract_chunks

    def break_off(*arguments, **options):
        yield next(extract_chunks(*arguments, **options))
        raise UnreadableError(f"{path}: it ends here")

    monkeypatch.setattr(derived, "extract_chunks", break_off)
    extract_one(order(chunked, path, context), context)
    whole, failed = chunks(context, path)
    assert whole.failure is None
    assert (failed.failure.kind, failed.failure.reason) == ("unreadable", "it ends here")
    assert is_settled(chunked, path, context)


def test_a_task_that_takes_the_worker_down_fails_the_chunks_it_did_not_come_to(context, path, chunked):
    extract_one(order(chunked.replace(chunk_s=None), path, context), context)
    order_of_file = order(chunked, path, context)
    for _ in range(context.settings.attempts):
        context.counters.attempt("r1", order_of_file.track_id)
    assert extract_one(order_of_file, context).kind == "crashed"
    assert context.store.record(order_of_file.track_id).failure is None
    assert {record.failure.kind for record in chunks(context, path)} == {"crashed"}
    assert is_settled(chunked, path, context)
