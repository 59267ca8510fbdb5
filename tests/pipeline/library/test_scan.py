import os
import re
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.library.labels import TrackSources, first_value, parse_labels
from pipeline.library.library_file import LibraryFile
from pipeline.library.scan import scan
from pipeline.library.scan_summary import ScanTally
from pipeline.library.tracks import FileStamp, track_id


@pytest.fixture
def library(tmp_path):
    """Make files (of a few bytes) by relative name and return the folder as text."""

    def make(*names):
        for name in names:
            path = tmp_path / "library" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"data")
        return str(tmp_path / "library")

    return make


def names(found, root):
    return [str(Path(track.path).relative_to(root)) for track in found]


def test_tracks_come_with_absolute_path_id_and_stamp(library, monkeypatch):
    root = library("a.wav")
    monkeypatch.chdir(Path(root).parent)
    (track,) = scan(["library"])
    assert track.path == f"{root}/a.wav"
    assert track.track_id == track_id(track.path)
    found = Path(track.path).stat()
    assert track.stamp == FileStamp.of(found)
    assert (track.label, track.group, track.fold) == (None, None, None)


def test_files_come_sorted_before_the_folders_beside_them(library):
    root = library("b/2.wav", "b/1.wav", "a/z.wav", "c.wav", "A.wav")
    assert names(scan([root]), root) == ["A.wav", "c.wav", "a/z.wav", "b/1.wav", "b/2.wav"]
    assert list(scan([root])) == list(scan([root]))


def test_audio_extensions_count_in_any_case_and_nothing_else_does(library):
    root = library(
        "a.WAV", "b.Flac", "c.mp3", "d.ogg", "e.m4a", "f.opus", "cover.jpg", "notes.txt", "wav", "g.wav.part"
    )
    assert names(scan([root]), root) == ["a.WAV", "b.Flac", "c.mp3", "d.ogg", "e.m4a", "f.opus"]


def test_hidden_files_and_folders_and_the_macs_shadows_are_left_out(library):
    root = library("a.wav", "._a.wav", ".hidden.wav", ".Trash/b.wav")
    assert names(scan([root]), root) == ["a.wav"]


def test_a_scan_is_lazy(library, monkeypatch):
    root = library("a/1.wav", "b/2.wav")
    entered = []
    listing = os.scandir
    monkeypatch.setattr("os.scandir", lambda folder: entered.append(folder) or listing(folder))
    tracks = scan([root])
    entered.clear()
    next(tracks)
    assert f"{root}/b" not in entered


def test_labels_groups_and_folds_are_read_for_each_track(library):
    root = library("rock/3-77-a.wav")
    sources = {role: parse_labels(spec) for role, spec in {"groups": r"name:^\d-(\d+)", "folds": r"name:^\d"}.items()}
    (track,) = scan([root], sources=TrackSources(labels=parse_labels("folder"), **sources))
    assert (track.label, track.group, track.fold) == ("rock", "77", "3")


def test_twenty_folders_deep_is_no_matter(library):
    deep = "/".join(f"level {i}" for i in range(20))
    root = library(f"{deep}/a.wav")
    assert names(scan([root]), root) == [f"{deep}/a.wav"]


def test_a_path_longer_than_the_system_takes_is_reported_and_fails_nothing(library, monkeypatch):
    root = library("a.wav")
    monkeypatch.chdir(root)
    for _ in range(60):
        Path("folder" * 16).mkdir()
        monkeypatch.chdir("folder" * 16)
    Path("deep.wav").touch()
    monkeypatch.chdir(root)
    problems = []
    assert names(scan([root], on_problem=lambda _path, reason: problems.append(reason)), root) == ["a.wav"]
    assert problems == ["file name too long"]


def test_link_loops_end(library):
    root = library("a/1.wav")
    for name, target in {
        "up": root,
        "a/here": f"{root}/a",
        "self": f"{root}/self",
        "self.wav": f"{root}/self.wav",
    }.items():
        Path(root, name).symlink_to(target)
    problems = []
    assert names(scan([root], on_problem=lambda path, reason: problems.append(Path(path).name)), root) == ["a/1.wav"]
    assert problems == ["self", "self.wav"]


def test_linked_folders_and_files_elsewhere_are_followed(library, tmp_path):
    root = library("a.wav")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/b.wav").touch()
    Path(root, "link").symlink_to(tmp_path / "elsewhere")
    Path(root, "c.wav").symlink_to(tmp_path / "elsewhere/b.wav")
    assert names(scan([root]), root) == ["a.wav", "c.wav", "link/b.wav"]


def test_a_folder_keeps_its_real_path_whatever_link_comes_before_it(library):
    root = library("real/1.wav")
    Path(root, "alias").symlink_to(f"{root}/real")
    assert names(scan([root]), root) == ["real/1.wav"]


def test_a_library_named_twice_or_inside_another_yields_each_file_once(library):
    root = library("a/1.wav", "b/2.wav")
    for libraries in ([root, root], [root, f"{root}/a"], [f"{root}/b", root], [f"{root}/", f"{root}/a/.."]):
        assert sorted(names(scan(libraries), root)) == ["a/1.wav", "b/2.wav"]


def test_a_missing_folder_is_refused_before_anything_is_scanned(library):
    with pytest.raises(UsageError, match=r"library .*/gone: no such folder; name a folder"):
        scan([library("a.wav"), "/tmp/gone"])  # noqa: S108 -- not there
    Path(library(), "link").symlink_to("/not/mounted")
    with pytest.raises(UsageError, match=r"library .*/link: a link to /not/mounted: no such .*; is its disk mounted\?"):
        scan([f"{library()}/link"])
    with pytest.raises(UsageError, match="no library given"):
        scan([])


def test_a_file_where_a_folder_is_expected_is_refused(library):
    with pytest.raises(UsageError, match=r"a\.wav: a file, not a folder; name the folder it lies in"):
        scan([library("a.wav") + "/a.wav"])


def test_a_folder_without_audio_files_is_refused_with_the_extensions_that_were_searched(library):
    root = library("readme.txt", ".hidden.wav")
    with pytest.raises(UsageError, match=rf"no audio files under {re.escape(root)}; looked for \*\.wav, \*\.flac"):
        scan([root])


def test_a_folder_that_cannot_be_read_is_reported_and_the_rest_is_found(library, monkeypatch):
    root = library("a/1.wav", "locked/2.wav", "z/3.wav")
    listing = os.scandir

    def guarded(folder):
        if folder.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return listing(folder)

    monkeypatch.setattr("os.scandir", guarded)
    problems = []
    tracks = scan([root], on_problem=lambda path, reason: problems.append((path, reason)))
    assert names(tracks, root) == ["a/1.wav", "z/3.wav"]
    assert problems == [(f"{root}/locked", "permission denied")]
    with pytest.raises(UsageError, match=r"could not read 1, the first .*locked"):
        scan([f"{root}/locked"])


def test_broken_links_and_pipes_are_reported(library):
    root = library("a.wav")
    Path(root, "b.wav").symlink_to("nowhere.wav")
    os.mkfifo(Path(root, "c.wav"))
    problems = {}
    assert names(scan([root], on_problem=problems.__setitem__), root) == ["a.wav"]
    assert problems == {f"{root}/b.wav": "no such file or directory", f"{root}/c.wav": "not a regular file"}


@pytest.mark.parametrize("name", ["with space.wav", "quote'\".wav", "new\nline.wav", "\u266b.wav", "tab\t.wav"])
def test_any_name_is_found_as_it_is(library, name):
    root = library(name)
    assert names(scan([root]), root) == [name]


def test_names_and_folders_that_are_not_utf8_are_found_and_labelled(odd_bytes_path):
    root = os.path.dirname(odd_bytes_path)  # noqa: PTH120 -- str with surrogates on purpose
    (track,) = scan([root], sources=TrackSources(labels=parse_labels("name:^[^.]+")))
    assert track.path == odd_bytes_path
    assert track.label == "caf\xe9 \xff"
    os.mkdir(os.fsencode(root) + b"/b\xe4nd")  # noqa: PTH102
    os.replace(odd_bytes_path, os.fsencode(root) + b"/b\xe4nd/a.wav")  # noqa: PTH105
    (track,) = scan([root], sources=TrackSources(labels=parse_labels("folder")))
    assert track.label == "b\xe4nd"
    tally = ScanTally(grouped=False, folded=False)
    tally.add(track)
    tally.add(track.replace(path="/music/b\xe4nd/a.wav"))
    (note,) = tally.summary(1, ()).notes
    assert note.startswith("1 file has its label from a name that is not UTF-8, e.g. ")
    assert note.endswith("b\\udce4nd/a.wav; read as Windows-1252")


def test_a_label_from_a_name_in_another_encoding_is_its_bytes_and_no_letters_of_a_wrong_one():
    assert first_value(parse_labels("folder"), LibraryFile("/music/\udcd0\udcee\udcea/a.wav")) == r"\udcd0\udcee\udcea"
