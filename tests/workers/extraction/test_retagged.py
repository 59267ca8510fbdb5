"""A tag edit costs one read of the file and no decoding, whatever program made it, and the record says so."""

import os
import shutil

import encoders
import numpy as np
import pytest
import retagging
from retagging import EDITS

from pipeline.audio import decode, parts
from pipeline.audio.hashing import content_hash
from pipeline.audio.identity import file_digests
from pipeline.extraction import sound
from pipeline.extraction.extract import extract
from pipeline.features.registry import family
from pipeline.library.folders.walk import stamp_of
from pipeline.library.tracks import ExtractTrack, TrackRecord, track_id
from pipeline.plans.augmentation import AugmentPlan
from workers.app.context import Context
from workers.extraction.extract import extract_one

FAMILY = "mfcc_mean"


@pytest.fixture(scope="module")
def encoded():
    """The bytes of a file of three seconds in some form."""
    samples = (np.random.default_rng(5).standard_normal((3 * 44_100, 2)) * 0.1).astype(np.float32)
    made = {}

    def get(name: str) -> bytes:
        if name not in made:
            made[name] = encoders.encode(name, samples)
        return made[name]

    return get


@pytest.fixture
def decodings(monkeypatch):
    """The paths that were opened for decoding."""
    opened, real = [], decode.open_audio

    def counted(path, **bounds):
        opened.append(path)
        return real(path, **bounds)

    for module in (sound, parts):
        monkeypatch.setattr(module, "open_audio", counted)
    return opened


def order(path, sequence: int, **more) -> ExtractTrack:
    return ExtractTrack(
        run_id="r1",
        shard=0,
        track_id=track_id(str(path)),
        path=str(path),
        stamp=stamp_of(str(path)),
        sequence=sequence,
        families=(FAMILY,),
        **more,
    )


def record_of(context: Context, path) -> TrackRecord:
    found = context.store.record(track_id(str(path)))
    assert found is not None
    return found


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_of_tags_decodes_nothing(context, tmp_path, encoded, decodings, kind):
    name, edit = EDITS[kind]
    path = tmp_path / name
    path.write_bytes(encoded(name))
    assert extract_one(order(path, 1), context).outcome == "extracted"
    before, decoded = record_of(context, path), len(decodings)
    assert (before.retagged, before.content_hash) == (False, before.sound_hash)
    for sequence, (genre, cover) in enumerate((("Jazz", b""), ("Rock", retagging.picture())), 2):
        edit(path, genre, cover)
        receipt = extract_one(order(path, sequence), context)
        assert (receipt.outcome, receipt.retagged) == ("unchanged", True)
        after = record_of(context, path)
        assert (after.content_hash, after.retagged, after.reused) == (before.content_hash, True, True)
        assert after.file_hash == content_hash(str(path)) != before.file_hash
        assert after.stamp == stamp_of(str(path))
    assert len(decodings) == decoded


def test_an_edit_with_the_time_put_back_is_seen(context, tmp_path, encoded, decodings):
    path = tmp_path / "a.mp3"
    path.write_bytes(encoded("a.mp3"))
    retagging.id3v24(path, "Jazz")
    extract_one(order(path, 1), context)
    before = stamp_of(str(path))
    retagging.edit_keeping_time(path, lambda file: retagging.id3v24(file, "Rock"))
    now = stamp_of(str(path))
    assert (now.size_bytes, now.mtime_ns) == (before.size_bytes, before.mtime_ns)
    receipt = extract_one(order(path, 2), context)
    assert (receipt.outcome, receipt.retagged) == ("unchanged", True)
    assert record_of(context, path).file_hash == content_hash(str(path))
    assert len(decodings) == 1


def test_a_change_of_rights_or_name_is_read_once_and_is_no_edit(context, tmp_path, encoded, decodings):
    path = tmp_path / "a.mp3"
    path.write_bytes(encoded("a.mp3"))
    extract_one(order(path, 1), context)
    path.chmod(0o600)
    receipt = extract_one(order(path, 2), context)
    assert (receipt.outcome, receipt.retagged) == ("unchanged", False)
    assert record_of(context, path).stamp == stamp_of(str(path))
    moved = path.rename(tmp_path / "b.mp3")
    receipt = extract_one(order(moved, 3), context)
    assert (receipt.outcome, receipt.retagged) == ("unchanged", False)
    assert len(decodings) == 1


def test_the_same_sound_with_other_tags_elsewhere_is_one_content(context, tmp_path, encoded, decodings):
    one, other = tmp_path / "a.flac", tmp_path / "b.flac"
    one.write_bytes(encoded("a.flac"))
    shutil.copyfile(one, other)
    retagging.vorbis_flac(other, "Jazz", retagging.picture())
    extract_one(order(one, 1), context)
    receipt = extract_one(order(other, 1), context)
    assert (receipt.outcome, receipt.retagged) == ("unchanged", False)
    assert record_of(context, one).content_hash == record_of(context, other).content_hash
    assert record_of(context, one).file_hash != record_of(context, other).file_hash
    assert len(decodings) == 1


def test_a_file_that_is_cut_short_is_another_content(context, tmp_path, encoded, decodings):
    path = tmp_path / "a.mp3"
    path.write_bytes(encoded("a.mp3"))
    extract_one(order(path, 1), context)
    before = record_of(context, path)
    path.write_bytes(encoded("a.mp3")[:-5_000])
    assert extract_one(order(path, 2), context).outcome == "extracted"
    assert record_of(context, path).content_hash != before.content_hash
    assert len(decodings) == 2


def test_copies_and_chunks_stay_with_a_file_whose_tags_changed(context, tmp_path, encoded, decodings):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded("a.wav"))
    more = {"augment": AugmentPlan(copies=2, seed=1, gain_db=(-6.0, 6.0)), "chunk_s": 1.0}
    extract_one(order(path, 1, **more), context)
    before, decoded = {found.track_id: found for found in context.store.snapshot().records()}, len(decodings)
    assert len(before) == 1 + 2 + 3
    retagging.wav(path, "Jazz", retagging.picture())
    extract_one(order(path, 2, **more), context)
    after = {found.track_id: found for found in context.store.snapshot().records()}
    assert {key: found.content_hash for key, found in after.items()} == {
        key: found.content_hash for key, found in before.items()
    }
    assert {found.sound_hash for found in after.values() if found.copy_of} == {""}
    assert len(decodings) == decoded
    more = {"augment": AugmentPlan(copies=3, seed=1, gain_db=(-6.0, 6.0)), "chunk_s": 1.5}
    extract_one(order(path, 3, **more), context)
    new = [found for found in context.store.snapshot().records() if found.track_id not in after]
    assert len(new) >= 3
    assert all(found.extracted for found in new), "made of the file with its new tags"


class OldHome:
    """A store as an older chordal left it: contents named by all bytes, and records without digests."""

    def __init__(self, context: Context, path) -> None:
        self.context = context
        spec = family(FAMILY).spec
        new, rows = extract(order(path, 1), path=str(path), missing={FAMILY}, max_duration_s=60.0)
        stamp = new.stamp.replace(ctime_ns=0, inode=0)
        self.content = content_hash(str(path))
        self.record = new.replace(stamp=stamp, content_hash=self.content, file_hash="", sound_hash="")
        context.store.commit(self.record, rows, {spec.key: spec})
        context.store.compact()


def test_a_home_made_before_keeps_its_features_and_learns_its_digests(context, tmp_path, encoded, decodings):
    path = tmp_path / "a.mp3"
    path.write_bytes(encoded("a.mp3"))
    old = OldHome(context, path)
    decodings.clear()
    assert extract_one(order(path, 2), context).outcome == "unchanged"
    assert record_of(context, path) == old.record, "nothing is written of a file that looks as it did"
    os.utime(path)
    receipt = extract_one(order(path, 3), context)
    assert (receipt.outcome, receipt.retagged) == ("unchanged", False)
    digests = file_digests(str(path))
    filled = record_of(context, path)
    assert (filled.content_hash, filled.file_hash) == (old.content, old.content)
    assert filled.sound_hash == digests.sound_hash != old.content
    retagging.id3v23(path, "Jazz", retagging.picture())
    receipt = extract_one(order(path, 4), context)
    assert (receipt.outcome, receipt.retagged) == ("unchanged", True)
    assert record_of(context, path).content_hash == old.content
    context.store.compact()
    other = tmp_path / "b.mp3"
    shutil.copyfile(path, other)
    retagging.ape(other, "Rock")
    assert extract_one(order(other, 5), context).outcome == "unchanged"
    assert record_of(context, other).content_hash == old.content
    assert decodings == []


def test_a_file_of_a_home_made_before_that_moved_is_known_by_its_bytes(context, tmp_path, encoded, decodings):
    path = tmp_path / "a.mp3"
    path.write_bytes(encoded("a.mp3"))
    old = OldHome(context, path)
    decodings.clear()
    moved = path.rename(tmp_path / "b.mp3")
    assert extract_one(order(moved, 2), context).outcome == "unchanged"
    assert record_of(context, moved).content_hash == old.content
    assert record_of(context, moved).sound_hash
    assert decodings == []
