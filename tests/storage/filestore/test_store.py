"""What only the file store can get wrong: folders, names, bytes, space."""

import errno
import json
import os
import random
import re
import shutil
import time

import h5py
import numpy as np
import pytest

from pipeline.errors import StoreError, UsageError
from pipeline.library.tracks import Failure, track_id
from storage import FileFeatureStore, durable
from storage.base import GcReport
from storage.filestore.layout import SCHEMA, Layout, PartEntry, SegmentName
from storage.filestore.maintenance.compaction import Compactor, small_parts
from storage.rules import State
from storage.testing.samples import SPECS, SPECTRA, TONES, content, features, record, rows, same_rows
from tests.storage import workloads
from tests.storage.stores import files, fill

DAY_S = 24 * 3600.0


def age(store, *, by_s):
    """Let everything in the store have been written earlier."""
    then = time.time() - by_s
    for path in files(store.path):
        os.utime(path, (then, then))


def test_a_store_is_opened_again_with_what_was_in_it(store, store_folder):
    fill(store, range(3))
    store.compact()
    fill(store, range(3, 5))
    assert len(FileFeatureStore.open(store_folder).snapshot()) == 5


def test_a_store_of_a_newer_chordal_is_refused_in_one_line(store, store_folder):
    mark = store_folder / "store.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"schema": 99}))
    with pytest.raises(UsageError, match=r"newer chordal .*upgrade") as refused:
        FileFeatureStore.open(store_folder)
    assert "\n" not in str(refused.value)


def test_a_folder_with_something_else_in_it_is_refused(tmp_path):
    (tmp_path / "holiday.txt").write_text("hands off")
    with pytest.raises(UsageError, match=r"holiday\.txt.*give an empty or a new folder"):
        FileFeatureStore.open(tmp_path)
    assert [path.name for path in files(tmp_path)] == ["holiday.txt"]


def test_a_start_that_was_interrupted_is_finished_by_the_next(store_folder):
    (store_folder / "inbox").mkdir(parents=True)
    (store_folder / "tmp").mkdir()
    assert len(FileFeatureStore.open(store_folder).snapshot()) == 0


def test_a_home_that_cannot_be_is_refused_with_the_mend(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for impossible in (tmp_path / "file", tmp_path / "file" / "store", tmp_path / ("x" * 300)):
        with pytest.raises(UsageError, match="give a folder that can be written"):
            FileFeatureStore.open(impossible)


def test_an_unwritable_home_is_refused_with_the_mend(tmp_path, processes):
    tmp_path.chmod(0o500)
    listening, telling = processes.Pipe(duplex=False)
    process = processes.Process(target=workloads.open_as_nobody, args=(tmp_path / "store", telling), daemon=True)
    process.start()
    refusal = listening.recv()
    process.join()
    tmp_path.chmod(0o700)
    assert re.search("Permission denied.*give a folder that can be written", refusal)


def test_the_name_of_a_segment_tells_what_is_in_it(store, store_folder):
    failed = record("/b", None, failure=Failure(kind="empty", reason="no samples"))
    store.commit(record("/a", 1, sequence=255), {TONES.key: rows(TONES, 1)}, SPECS)
    store.commit(failed, {}, {})
    layout = Layout(store_folder)
    by_track = {name.track_id: name for name in layout.segments()}
    good, bad = by_track[track_id("/a")], by_track[failed.track_id]
    assert (good.rank.sequence, good.rank.state, good.rank.content_hash) == (255, State.EXTRACTED, content(1))
    assert (bad.rank.state, bad.rank.content_hash) == (State.FAILED, "")
    assert (layout.families_in(good), layout.families_in(bad)) == ({TONES.key}, set())
    for name in by_track.values():
        assert (store_folder / "inbox" / name.path).is_file()
        assert SegmentName.parse(name.path.rpartition("/")[2]) == name


def test_strange_files_in_the_inbox_are_left_alone(store, store_folder):
    fill(store, range(2))
    strange = next((store_folder / "inbox").iterdir()) / ".DS_Store"
    strange.write_text("not ours")
    store.compact()
    assert len(store.snapshot()) == 2
    assert strange.exists()


def test_a_part_says_what_it_holds_to_people_with_other_tools(store, store_folder):
    fill(store, range(3))
    store.compact()
    (part,) = (store_folder / "parts").glob("spectra-*")
    with h5py.File(part, "r") as file:
        group = file["features"][SPECTRA.key]
        assert group["values"].shape == (15, 4, 2)
        assert group["values"].dtype == np.float32
        assert group["indptr"][:].tolist() == [0, 5, 10, 15]
        assert group.attrs["columns"].tolist() == [b"c0", b"c1"]
        assert group.attrs["units"].tolist() == [b"dB", b"dB"]
        assert group.attrs["fingerprint"].decode() == SPECTRA.fingerprint
        assert json.loads(group.attrs["parameters"]) == SPECTRA.parameters
        assert json.loads(file.attrs["software"]).keys() == {"chordal", "h5py", "hdf5", "numpy"}
        assert file.attrs["schema"] == SCHEMA


def test_every_flipped_bit_in_a_segment_is_found_or_without_effect(store, store_folder):
    written = record("/a", 1).replace(note="a note")
    store.commit(written, features(1), SPECS)
    (segment,) = files(store_folder / "inbox")
    whole = segment.read_bytes()
    chance = random.Random(3)
    checks = (
        lambda: store.record(written.track_id) == written,
        lambda: same(store, SPECTRA),
        lambda: same(store, TONES),
    )
    errors = []
    for bit in chance.sample(range(8 * len(whole)), 200):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        segment.write_bytes(flipped)
        for check in checks:
            try:
                assert check()
            except StoreError as error:
                errors.append(str(error))
    assert len(errors) > 50
    assert all(segment.name in error for error in errors)


def same(store, family):
    (found,) = store.snapshot().rows(family.key, [content(1)])
    return same_rows(found, rows(family, 1))


def test_a_flipped_bit_in_the_values_of_a_part_is_named(store, store_folder):
    fill(store, range(4))
    store.compact()
    (part,) = (store_folder / "parts").glob("tones-*")
    whole = bytearray(part.read_bytes())
    at = bytes(whole).index(rows(TONES, 2).values.tobytes())
    whole[at + 5] ^= 4
    part.write_bytes(whole)
    snapshot = store.snapshot()
    with pytest.raises(StoreError) as damaged:
        snapshot.rows(TONES.key, [content(number) for number in range(4)])
    assert all(part_of_message in str(damaged.value) for part_of_message in (part.name, TONES.key, content(2)))
    assert same_rows(snapshot.rows(TONES.key, [content(3)])[0], rows(TONES, 3))


def test_compaction_sets_a_damaged_segment_aside_and_the_track_heals(store, store_folder, caplog):
    fill(store, range(3))
    victim = next(path for path in files(store_folder / "inbox") if path.name.startswith(track_id("/1")))
    victim.write_bytes(victim.read_bytes()[:2000])
    report = store.compact()
    assert (report.state, report.segments) == ("compacted", 2)
    assert victim.name in report.damaged[0]
    assert victim.name in caplog.text
    assert (store_folder / "damaged" / victim.name).is_file()
    assert store.record(track_id("/1")) is None
    assert store.families_of(content(1)) == frozenset()
    assert store.commit(record("/1", 1), features(1), SPECS) is True
    assert same_rows(store.snapshot().rows(TONES.key, [content(1)])[0], rows(TONES, 1))


def test_a_copy_of_a_damaged_segment_saves_its_content(store, store_folder):
    store.commit(record("/0", 7), features(7), SPECS)
    (first,) = files(store_folder / "inbox")
    kept = first.with_suffix(".kept")
    first.rename(kept)  # two writers at once do not see each other's rows
    store.commit(record("/1", 7), features(7), SPECS)
    kept.rename(first)
    first.write_bytes(first.read_bytes()[:-700])
    assert len(store.compact().damaged) == 1
    assert same_rows(store.snapshot().rows(TONES.key, [content(7)])[0], rows(TONES, 7))


def test_a_compactor_that_died_before_unlinking_does_no_harm(store, store_folder, tmp_path):
    fill(store, range(5))
    shutil.copytree(store_folder / "inbox", tmp_path / "kept")
    store.compact()
    shutil.copytree(tmp_path / "kept", store_folder / "inbox", dirs_exist_ok=True)
    assert len(store.snapshot()) == 5
    report = store.compact()
    assert (report.segments, report.parts) == (5, 0)
    assert files(store_folder / "inbox") == []
    assert len(store.snapshot()) == 5


def test_a_compactor_that_loses_the_race_drops_its_work(store, store_folder, monkeypatch):
    fill(store, range(4))
    publish = Layout.publish_manifest
    rival = FileFeatureStore.open(store_folder)
    reports = []

    def publish_too_late(layout, generation, manifest):
        monkeypatch.setattr(Layout, "publish_manifest", publish)
        reports.append(rival.compact())
        return publish(layout, generation, manifest)

    monkeypatch.setattr(Layout, "publish_manifest", publish_too_late)
    assert store.compact().state == "nothing"
    assert reports[0].segments == 4
    named = {part.name for part in Layout(store_folder).manifest(1).parts}
    assert {path.name for path in files(store_folder / "parts")} == named
    assert files(store_folder / "tmp") == []
    assert len(store.snapshot()) == 4


def test_parts_are_cut_at_their_size_and_small_ones_are_merged(store, store_folder):
    layout = store._layout
    for begin in range(0, 60, 6):
        fill(store, range(begin, begin + 6))
        Compactor(layout, store._indexes, part_entries=16).compact()
    manifest = layout.manifest(layout.generations()[-1])
    assert max(part.entries for part in manifest.parts) <= 16
    assert len(manifest.parts) < 3 * 8
    snapshot = store.snapshot()
    assert len(snapshot) == 60
    for number, found in enumerate(snapshot.rows(SPECTRA.key, [content(number) for number in range(60)])):
        assert same_rows(found, rows(SPECTRA, number))


def test_a_row_is_rewritten_only_as_often_as_the_store_doubles():
    def part(entries):
        return PartEntry(name=str(entries), kind="tracks", entries=entries, size_bytes=0)

    def chosen(incoming, *entries):
        return [small.entries for small in small_parts(map(part, entries), incoming, part_entries=2048)]

    assert chosen(0, 5, 10) == []
    assert chosen(10, 1000, 15, 40, 300) == [15, 40]
    assert chosen(1000, 1000, 1025) == [1000]


def test_collection_takes_only_what_nobody_names_after_the_grace(store, store_folder):
    for begin in (0, 2, 4):
        fill(store, range(begin, begin + 2))
        Compactor(store._layout, store._indexes, part_entries=64).compact()
    (store_folder / "tmp" / "left-by-a-killed-writer.h5").write_bytes(b"half")
    assert store.gc() == GcReport()
    age(store, by_s=2 * DAY_S)
    report = store.gc()
    assert (report.manifests, report.temporary) == (3, 1)
    assert report.parts > 0
    named = {part.name for part in Layout(store_folder).manifest(3).parts}
    assert {path.name for path in files(store_folder / "parts")} == named
    assert len(FileFeatureStore.open(store_folder).snapshot()) == 6
    fill(store, range(6, 8))
    assert store.compact().state == "compacted"
    assert len(store.snapshot()) == 8


def test_a_compactor_that_slept_past_the_collection_unlinks_nothing(store, store_folder, monkeypatch):
    fill(store, range(3))
    publish = Layout.publish_manifest
    rival = FileFeatureStore.open(store_folder)

    def publish_days_later(layout, generation, manifest):
        monkeypatch.setattr(Layout, "publish_manifest", publish)
        for number in (10, 11):
            rival.commit(record(f"/{number}", number), features(number), SPECS)
            rival.compact()
        age(rival, by_s=2 * DAY_S)
        rival.gc()
        assert Layout(store_folder).generations() == [2]
        return publish(layout, generation, manifest)

    monkeypatch.setattr(Layout, "publish_manifest", publish_days_later)
    store.compact()
    paths = {found.path for found in FileFeatureStore.open(store_folder).snapshot().records()}
    assert paths == {"/0", "/1", "/2", "/10", "/11"}


def test_an_unreadable_manifest_is_named(store, store_folder):
    fill(store, range(2))
    store.compact()
    (store_folder / "manifest" / "00000001.json").write_bytes(b'{"schema": 1, "pa')
    with pytest.raises(StoreError, match=r"00000001\.json: is not a readable Manifest"):
        FileFeatureStore.open(store_folder).snapshot()


def test_a_store_that_can_only_be_read_is_held_without_a_pin(store, store_folder, monkeypatch):
    fill(store, range(2))

    def refuse(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(durable, "write_whole", refuse)
    with FileFeatureStore.existing(store_folder).hold() as snapshot:
        assert len(snapshot) == 2
        assert list((store_folder / "pins").iterdir()) == []


def test_a_store_without_its_empty_folders_can_be_read(store, store_folder):
    fill(store, range(2))
    store.compact()
    for folder in ("damaged", "pins", "tmp", "inbox"):
        shutil.rmtree(store_folder / folder)
    found = FileFeatureStore.existing(store_folder)
    assert (len(found.snapshot()), found.verify().damages) == (2, ())
    assert sorted(path.name for path in store_folder.iterdir()) == ["families", "manifest", "parts", "store.json"]
