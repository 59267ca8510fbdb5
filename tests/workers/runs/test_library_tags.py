"""A scan by tags opens a file once: what it read, and what an extraction read, is known until the file changes."""

import os
from pathlib import Path

import pytest
import tag_files

from pipeline.library.folders.walk import stamp_of
from pipeline.library.tags.read import find_tags
from pipeline.library.tags.tags import READER, Tags
from pipeline.library.tracks import track_id
from pipeline.plans.recipe import parse_recipe
from storage.home import Home
from storage.testing.samples import record
from workers.processes import tag_readers
from workers.runs import library_tags
from workers.runs.library_tags import LibraryTags
from workers.runs.progress import View
from workers.runs.request import RunRequest
from workers.runs.scan import scan_libraries

RECIPE = 'name = "t"\ntitle = "t"\n[[models]]\nfamily = "svm"\nfeatures = "mfcc_mean"'


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def files(tmp_path) -> list[Path]:
    """Twelve small songs, the last one without tags."""
    folder = tmp_path / "music"
    folder.mkdir()
    songs = [
        tag_files.write(folder / f"{number:02d}", "ID3v2.4", {"genre": ["Jazz", "Rock"], "artist": [f"A{number}"]})
        for number in range(11)
    ]
    plain = folder / "11.wav"
    plain.write_bytes(tag_files.sound("a.wav"))
    return [*songs, plain]


def scan(home, files, *, run_id=None, labels="tag:genre", groups="tag:artist"):
    """Scan the folder of the files; return the tracks by the names of the files, and the scanned run."""
    request = RunRequest(
        command=("chordal",),
        libraries=(str(files[0].parent),),
        recipe=parse_recipe(RECIPE, "test"),
        labels=labels,
        groups=groups,
        extract=False,
        learn=False,
        run_id=run_id,
    )
    with View(quiet=True) as view:
        scanned = scan_libraries(home, request, view)
    run_id = scanned.plan.run_id
    tracks = [track for shard in home.ledger.shards(run_id) for track in home.ledger.shard(run_id, shard)]
    return {Path(track.path).name: track for track in tracks}, scanned


@pytest.fixture
def opened(monkeypatch):
    """The paths that are opened for their tags from now on."""
    paths = []
    read = tag_readers.TagReaders.read

    def noted(self, wanted):
        paths.extend(Path(path).name for path in wanted)
        return read(self, wanted)

    monkeypatch.setattr(tag_readers.TagReaders, "read", noted)
    return paths


def test_a_second_scan_opens_only_what_changed(home, files, opened):
    tracks, scanned = scan(home, files)
    assert (tracks["03.mp3"].label, tracks["03.mp3"].group) == ("Jazz", "A3")
    assert (tracks["11.wav"].label, scanned.found.unlabelled_formats) == (None, {"wav": 1})
    assert len(opened) == 12
    opened.clear()
    again, _ = scan(home, files)
    assert (again, opened) == (tracks, [])
    # when one is tagged anew
    files[3].write_bytes(tag_files.frame_bytes({"genre": ["Blues"]}) + tag_files.sound("a.mp3"))
    changed, _ = scan(home, files)
    assert (opened, changed["03.mp3"].label, changed["03.mp3"].group) == (["03.mp3"], "Blues", None)
    # and a field is asked for that every file was asked for
    opened.clear()
    scan(home, files, labels="tag:album", groups="tag:artist")
    assert opened == []
    # but not one that none was
    scan(home, files, labels="tag:style")
    assert len(opened) == 12
    opened.clear()
    scan(home, files, labels="tag:style")
    assert opened == []


def test_what_an_extraction_recorded_is_not_read_by_a_scan(home, files, opened):
    for file in files:
        made = record(str(file), None).replace(
            track_id=track_id(str(file)), stamp=stamp_of(str(file)), tags=find_tags(str(file)).replace(genre=("Soul",))
        )
        home.store.commit(made, {}, {})
    home.store.commit(home.store.record(track_id(str(files[5]))).replace(sequence=2, tags=None), {}, {})
    tracks, _ = scan(home, files)
    # the record without tags, as in homes made before, is the only one whose file is read
    assert opened == ["05.mp3"]
    assert (tracks["05.mp3"].label, tracks["04.mp3"].label) == ("Jazz", "Soul")
    home.store.compact(unused_s=0)
    opened.clear()
    assert (scan(home, files)[0], opened) == (tracks, [])


def test_tags_of_another_reader_are_read_again(home, files, opened):
    file = files[0]
    old = Tags(genre=("Old",), reader=READER - 1)
    made = record(str(file), None).replace(track_id=track_id(str(file)), stamp=stamp_of(str(file)), tags=old)
    home.store.commit(made, {}, {})
    assert scan(home, files)[0]["00.mp3"].label == "Jazz"
    assert "00.mp3" in opened


def test_tags_are_written_in_parts_and_damaged_parts_are_read_again(home, files, opened, monkeypatch):
    monkeypatch.setattr(library_tags, "PART_FILES", 5)
    _, scanned = scan(home, files)
    [part] = home.ledger.path(scanned.plan.run_id).glob("tags-*.npz")
    whole = part.read_bytes()
    opened.clear()
    part.write_bytes(whole[: len(whole) // 2])
    scan(home, files)
    assert len(opened) == 12


def test_a_scan_without_tags_opens_nothing(home, files, opened):
    scan(home, files, labels="folder", groups=None)
    assert opened == []
    assert list((home.path / "runs").rglob("tags-*.npz")) == []


def test_values_that_are_too_long_are_counted_every_time(home, files):
    files[0].write_bytes(tag_files.frame_bytes({"genre": [tag_files.LONG]}) + tag_files.sound("a.mp3"))
    files[1].write_bytes(tag_files.frame_bytes({"title": [tag_files.LONG]}) + tag_files.sound("a.mp3"))
    for _ in range(2):
        tracks, scanned = scan(home, files)
        assert scanned.found.cut_tags == 1
        assert len(tracks["00.mp3"].label) == 249


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_asked_again_when_it_can(home, files):
    files[2].chmod(0)
    assert scan(home, files)[0]["02.mp3"].label is None
    files[2].chmod(0o644)
    assert scan(home, files)[0]["02.mp3"].label == "Jazz"


def test_the_processes_end_with_the_scan(home, files):
    with LibraryTags(home, "run-1", ["genre"]) as tags:
        tags.tags_of([(str(file), stamp_of(str(file))) for file in files])
        [process] = [reader._process for reader in tags._readers._started]
        assert process.poll() is None
    assert process.poll() is not None
