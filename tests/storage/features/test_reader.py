import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from homes import commit, scan, small_home

from pipeline.errors import UsageError
from pipeline.library.tracks import Failure, track_id
from storage import RunLedger, open_features
from storage.rules import deletion
from storage.testing.samples import SPECS, SPECTRA, TONES, features, record, rows, spec

ROOT = Path(__file__).parents[3]

TAGS = ["title", "artist", "album_artist", "album", "genre", "year", "track", "bpm", "key", "comment"]


def test_tracks_come_by_path_with_label_and_group_of_the_newest_scan(tmp_path):
    small_home(tmp_path)
    scan(tmp_path, {"/music/00.wav": ("changed", None), "/music/01.wav": (None, "artist 0")}, number=2)
    tracks = open_features(tmp_path).tracks
    assert [track.path for track in tracks] == [f"/music/{n:02d}.wav" for n in range(6)]
    assert [(track.label, track.group) for track in tracks[:2]] == [("changed", None), (None, "artist 0")]
    # the newest scan of the library did not find the others any more
    assert {(track.label, track.group) for track in tracks[2:]} == {(None, None)}


def test_each_set_of_libraries_has_the_labels_of_its_own_newest_scan(tmp_path):
    small_home(tmp_path)
    store = commit(tmp_path, [])
    store.commit(record("/more/a.wav", 50), features(50), SPECS)
    scan(tmp_path, {"/more/a.wav": ("other", None)}, number=2, library="/more")
    found = open_features(tmp_path)
    assert {track.path: track.label for track in found.tracks}["/more/a.wav"] == "other"
    assert found.classes == ("even", "odd", "other")


def test_labels_come_as_columns_in_the_order_of_the_track_ids(tmp_path):
    small_home(tmp_path)
    labels = open_features(tmp_path).labels
    by_id = {track_id(f"/music/{n:02d}.wav"): ("odd" if n % 2 else "even", f"artist {n // 2}") for n in range(6)}
    assert labels.track_ids == sorted(by_id)
    labels_and_groups = list(zip(labels.column("label").tolist(), labels.column("group").tolist(), strict=True))
    assert labels_and_groups == [by_id[each] for each in labels.track_ids]
    assert labels.column("fold").tolist() == [None] * 6


def test_labels_are_kept_once_read_and_read_again_when_their_copy_is_damaged(tmp_path):
    small_home(tmp_path)
    first = open_features(tmp_path).labels
    copy = tmp_path / "runs" / "run-1" / "labels.npz"
    kept = copy.read_bytes()
    for damaged in (b"", kept[: len(kept) // 2], kept[:100] + bytes([kept[100] ^ 1]) + kept[101:]):
        copy.write_bytes(damaged)
        again = open_features(tmp_path).labels
        assert (again.track_ids, again.column("label").tolist()) == (first.track_ids, first.column("label").tolist())
    # the copy alone is what is read from then on
    (tmp_path / "runs" / "run-1" / "shards" / "00000.json").unlink()
    assert open_features(tmp_path).labels.column("label").tolist() == first.column("label").tolist()


def test_an_unfinished_scan_tells_nothing_yet(tmp_path):
    small_home(tmp_path)
    scan(tmp_path, {"/music/00.wav": ("changed", None)}, number=2)
    (tmp_path / "runs" / "run-2" / "scan.json").unlink()
    assert open_features(tmp_path).tracks[0].label == "even"


def test_a_scan_of_some_files_only_says_nothing_of_the_others(tmp_path):
    # as a watch makes of what came in
    small_home(tmp_path)
    scan(tmp_path, {"/music/00.wav": ("changed", None)}, number=2)
    (tmp_path / "runs" / "run-2" / "scan.json").unlink()
    RunLedger(tmp_path).close_scan("run-2", 1, left_out=1)
    assert [track.label for track in open_features(tmp_path).tracks[:3]] == ["changed", "odd", "even"]


def test_files_that_somebody_wanted_predictions_of_have_no_labels_from_that(tmp_path):
    small_home(tmp_path)
    ledger = RunLedger(tmp_path)
    plan = ledger.plan("run-1").replace(run_id="p1", purpose="predict", created="2026-02-01T00:00:00+00:00")
    ledger.create(plan)
    ledger.write_shard("p1", 0, [track.replace(label=None) for track in ledger.shard("run-1", 0)])
    ledger.close_scan("p1", 1)
    assert open_features(tmp_path).classes == ("even", "odd")


def test_deleted_files_and_augmented_copies_are_no_tracks_and_failed_files_have_no_rows(tmp_path):
    store = small_home(tmp_path)
    gone = store.record(track_id("/music/01.wav"))
    store.commit(deletion(gone, 9), {}, {})
    copy = record("/music/02.wav#copy", 77).replace(copy_of=record("", 2).content_hash)
    store.commit(copy, features(77), SPECS)
    store.commit(record("/music/07.wav", None, failure=Failure(kind="empty", reason="no samples")), {}, {})
    found = open_features(tmp_path)
    assert [track.path[-6:-4] for track in found.tracks] == ["00", "02", "03", "04", "05", "07"]
    assert [track.path[-6:-4] for track in found.with_family("tones")] == ["00", "02", "03", "04", "05"]
    assert found.tracks[-1].failure is not None


def test_rows_are_those_that_were_stored_track_by_track(tmp_path):
    small_home(tmp_path)
    found = open_features(tmp_path)
    for family in (TONES, SPECTRA):
        stored = found.rows(family.name)
        expected = [rows(family, number) for number in range(6)]
        np.testing.assert_array_equal(stored.values, np.concatenate([each.values for each in expected]))
        np.testing.assert_array_equal(stored.start_s, np.concatenate([each.start_s for each in expected]))
        np.testing.assert_array_equal(stored.channel, np.concatenate([each.channel for each in expected]))
        assert stored.track.tolist() == np.repeat(range(6), 5).tolist()
        assert stored.labels.tolist() == (["even"] * 5 + ["odd"] * 5) * 3
        assert stored.groups.tolist() == np.repeat(["artist 0", "artist 1", "artist 2"], 10).tolist()


def test_rows_of_some_tracks_come_in_the_order_asked(tmp_path):
    small_home(tmp_path)
    found = open_features(tmp_path)
    stored = found.rows(TONES.key, [found.tracks[4], found.tracks[1], found.tracks[4]])
    expected = [rows(TONES, number).values for number in (4, 1, 4)]
    np.testing.assert_array_equal(stored.values, np.concatenate(expected))
    assert len(found.rows("tones", [])) == 0


def test_a_table_has_a_column_for_every_number_with_its_unit(tmp_path):
    small_home(tmp_path)
    table = open_features(tmp_path).table("tones")
    common = ["path", "track_id", "label", "group", "fold", "start_s", "channel"]
    assert table.column_names == [*common, *TONES.columns, *TAGS, "note"]
    assert table["title"].to_pylist()[::5] == [f"Song {number}" for number in range(6)]
    assert set(table["genre"].to_pylist()) == {"Jazz; Rock"}
    assert set(table["artist"].to_pylist()) == {None}
    assert table.num_rows == 30
    assert [table.schema.field(name).metadata[b"unit"] for name in TONES.columns] == [b"dB"] * 3
    assert json.loads(table.schema.metadata[b"chordal"])["key"] == TONES.key
    np.testing.assert_array_equal(table["c1"].to_numpy()[:5], rows(TONES, 0).values[:, 1])
    assert table["label"].to_pylist()[:6] == ["even"] * 5 + ["odd"]
    assert table["fold"].to_pylist() == [None] * 30
    assert table["note"].to_pylist() == ["a note"] * 30


def test_a_table_of_matrices_has_a_column_of_fixed_size_lists(tmp_path):
    small_home(tmp_path)
    table = open_features(tmp_path).table("spectra")
    values = table["spectra"].combine_chunks()
    assert str(values.type).count("fixed_size_list") == 2
    np.testing.assert_array_equal(np.array(values.to_pylist()[:5], np.float32), rows(SPECTRA, 0).values)


def test_a_familys_column_does_not_hide_one_of_the_table(tmp_path):
    odd = spec("odd").replace(columns=("label", "c1", "channel"))
    store = small_home(tmp_path)
    known = record("/music/00.wav", 0)
    store.commit(known, {odd.key: rows(odd, 0)}, {odd.key: odd})
    table = open_features(tmp_path).table("odd")
    assert table.column_names[-14:] == ["odd_label", "c1", "odd_channel", *TAGS, "note"]


def test_a_column_of_tags_does_not_rename_one_of_a_family(tmp_path):
    keyed = spec("keyed").replace(columns=("key", "c1", "bpm"))
    store = small_home(tmp_path)
    store.commit(record("/music/00.wav", 0), {keyed.key: rows(keyed, 0)}, {keyed.key: keyed})
    names = open_features(tmp_path).table("keyed").column_names
    assert names[7:10] == ["key", "c1", "bpm"]
    assert names[-4:] == ["tag_bpm", "tag_key", "comment", "note"]


def test_a_family_is_found_by_name_or_key_and_an_ambiguous_or_unknown_name_is_told(tmp_path):
    store = small_home(tmp_path)
    found = open_features(tmp_path)
    assert found.spec("tones") == found.spec(TONES.key) == TONES
    with pytest.raises(UsageError, match=r"feature family tunes: not stored here; stored are: spectra, tones"):
        found.spec("tunes")
    newer = TONES.replace(version=2)
    store.commit(record("/music/00.wav", 0), {newer.key: rows(newer, 0)}, {newer.key: newer})
    with pytest.raises(UsageError, match=f"stored in 2 versions; name one of {TONES.key}, {newer.key}"):
        open_features(tmp_path).spec("tones")


def test_a_folder_without_a_store_is_told_and_none_is_made(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        open_features(tmp_path / "home")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_store_opens_without_labels(tmp_path):
    small_home(tmp_path)
    found = open_features(tmp_path / "store")
    assert len(found.tracks) == 6
    assert found.classes == ()


def test_what_is_seen_does_not_change_while_others_write(tmp_path):
    store = small_home(tmp_path)
    found = open_features(tmp_path)
    commit(tmp_path, [8])
    store.compact()
    assert len(found.tracks) == 6
    assert len(found.rows("tones")) == 30


@pytest.mark.timeout(300)
def test_the_example_script_reads_a_small_store(tmp_path, monkeypatch, capsys):
    small_home(tmp_path, tracks=8, rows=20)
    monkeypatch.setattr("sys.argv", ["read_features.py", str(tmp_path), "tones"])
    runpy.run_path(str(ROOT / "ops" / "examples" / "read_features.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert "c0 in dB, c1 in dB, c2 in dB" in out
    assert "160 rows of 8 tracks" in out
    assert "accuracy" in out
