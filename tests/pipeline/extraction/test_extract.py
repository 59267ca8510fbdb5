import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio import files
from pipeline.audio.identity import file_digests
from pipeline.errors import TransientError, UsageError
from pipeline.extraction import extract as extraction
from pipeline.extraction import sound
from pipeline.extraction.extract import extract
from pipeline.features import whole
from pipeline.features.families import mfcc_mean
from pipeline.features.registry import families, family
from pipeline.features.spec import FeatureRows
from pipeline.library.scan import scan
from pipeline.library.tracks import ExtractTrack, FileStamp, track_id

ALL = frozenset(families())


def order(path):
    stamp = FileStamp(size_bytes=1, mtime_ns=2)
    return ExtractTrack(
        run_id="r", shard=0, track_id=track_id(path), path=path, stamp=stamp, sequence=7, families=tuple(families())
    )


def extracted(path, missing=ALL):
    return extract(order(path), path=path, missing=missing, max_duration_s=60.0, host="here")


def test_a_good_file_yields_its_record_and_the_rows_of_every_family(write, noise):
    path = write("a.flac", noise((4 * 44_100, 2)), 44_100)
    record, rows = extracted(path)
    assert (record.track_id, record.path, record.sequence) == (track_id(path), path, 7)
    assert record.content_hash == file_digests(path).content_hash
    assert (record.duration_s, record.sample_rate_hz, record.channels) == (4.0, 44_100, 2)
    assert (record.failure, record.family_failures, record.note) == (None, {}, "")
    assert set(rows) == {each.spec.key for each in families().values()}
    assert rows[family("loudness").spec.key].values.shape == (16, 12)


def test_a_file_is_recorded_under_its_name_wherever_this_host_has_it(write, tmp_path):
    here = write("here.wav")
    known = order("/music/there.wav")
    missing = frozenset({"mfcc_mean"})
    record, rows = extract(known, path=here, missing=missing, max_duration_s=60.0)
    assert (record.track_id, record.path, len(rows)) == (known.track_id, "/music/there.wav", 1)
    gone, _ = extract(known, path=str(tmp_path / "gone.wav"), missing=missing, max_duration_s=60.0)
    assert (gone.path, gone.failure.reason) == ("/music/there.wav", "no such file or directory")


def test_a_file_whose_hash_is_known_is_not_hashed_again(write, monkeypatch):
    path = write()
    known = file_digests(path).content_hash
    monkeypatch.setattr(extraction, "digests_of", None)
    record, _ = extract(order(path), path=path, missing=ALL, max_duration_s=60.0, content_hash=known)
    assert (record.content_hash, record.failure) == (known, None)


def test_only_the_missing_families_are_computed(write):
    _, rows = extracted(write(), frozenset({"mfcc_mean"}))
    assert set(rows) == {family("mfcc_mean").spec.key}


def test_a_file_is_decoded_once_for_all_families(write, monkeypatch):
    opened = []
    original = sound.open_audio
    monkeypatch.setattr(sound, "open_audio", lambda path, **bound: opened.append(path) or original(path, **bound))
    path = write()
    extracted(path)
    assert opened == [path]


def test_a_family_that_fails_leaves_the_others_standing(write):
    record, rows = extracted(write())  # one second: no 3 s segment
    assert record.failure is None
    assert set(record.family_failures) == {family(name).spec.key for name in ("mfcc_segments", "logmel_segments")}
    assert {(failure.kind, failure.host) for failure in record.family_failures.values()} == {("too_short", "here")}
    assert len(rows) == len(ALL) - 2


def test_a_track_of_which_every_family_fails_has_failed(write):
    record, rows = extracted(write("three.wav", np.full(3, 0.1)))
    assert (record.failure.kind, rows) == ("too_short", {})
    assert len(record.family_failures) == len(ALL)
    record, _ = extracted(write(), frozenset({"mfcc_segments"}))
    assert record.failure.kind == "too_short"


def test_a_silent_file_is_extracted(write):
    record, rows = extracted(write("silent.wav", np.zeros(4 * 22_050)))
    assert record.failure is None
    assert len(rows) == len(ALL)
    assert len(rows[family("loudness").spec.key]) == 0


def test_a_truncated_file_is_extracted_with_a_note(write, noise):
    path = Path(write("a.wav", noise(10 * 22_050)))
    path.write_bytes(path.read_bytes()[:200_000])
    record, rows = extracted(str(path))
    assert record.failure is None
    assert len(rows) == len(ALL)
    assert record.note.startswith("decoded 4.5")


def test_what_cannot_be_decoded_is_recorded_without_the_path_in_the_reason(write, tmp_path):
    samples = np.array([0.1, np.nan, 0.2], np.float32)
    (tmp_path / "zero.wav").touch()
    (tmp_path / "text.mp3").write_text("no sound")
    expected = {
        str(tmp_path / "gone.wav"): ("missing", "no such file or directory"),
        str(tmp_path / "zero.wav"): ("empty", "the file has 0 bytes"),
        str(tmp_path / "text.mp3"): ("unreadable", "not a sound file that libsndfile or FFmpeg knows"),
        write("long.wav", np.zeros(61 * 8_000), 8_000): ("too_large", "longer than the bound of 60 s"),
        write("nan.wav", samples, subtype="FLOAT"): (
            "unsupported",
            "1 of 3 samples are NaN or infinite, the first at frame 1 of channel 0",
        ),
    }
    for path, failure in expected.items():
        record, rows = extracted(path)
        assert (record.failure.kind, record.failure.reason) == failure
        assert (rows, record.failure.host) == ({}, "here")
        assert bool(record.content_hash) == Path(path).exists()


def test_what_may_pass_is_raised_to_be_tried_again(write, monkeypatch):
    path = write()

    def busy(*_args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files.os, "open", busy)
    with pytest.raises(TransientError, match="input/output error"):
        extracted(path)


def test_an_unknown_family_is_refused(write):
    with pytest.raises(UsageError, match="no such family"):
        extracted(write(), frozenset({"mfc"}))


def test_numbers_that_are_not_finite_never_leave_the_extraction(write, monkeypatch):
    def broken(mono):
        values = np.full((1, 40), np.nan, np.float32)
        return FeatureRows(values=values, start_s=np.zeros(1, np.float32), channel=np.zeros(1, np.int8))

    monkeypatch.setattr(mfcc_mean, "start", whole.of_mono(broken))
    record, rows = extracted(write(), frozenset({"mfcc_mean", "logmel"}))
    assert record.family_failures[family("mfcc_mean").spec.key].kind == "unsupported"
    assert set(rows) == {family("logmel").spec.key}


def test_a_scan_of_odd_files_ends_in_a_record_for_each(write, noise, tmp_path, odd_bytes_path):
    for name in ("with space.wav", "quote'\".flac", "new\nline.ogg", "/".join(["deep"] * 20) + "/a.mp3"):
        write(name, noise((22_050, 2)))
    os.replace(write("plain.wav"), odd_bytes_path)  # noqa: PTH105 -- str with surrogates on purpose
    (tmp_path / "zero.wav").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    tracks = list(scan([str(tmp_path)]))
    records = [extracted(track.path, frozenset({"mfcc_mean"}))[0] for track in tracks]
    assert len(records) == 6
    assert [Path(record.path).name for record in records if record.failure] == ["zero.wav"]
    for record in records:
        assert type(record).from_wire(record.to_wire()) == record
