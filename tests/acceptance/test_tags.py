"""A library labelled by its tags, as a user sees it: what has none is said, listed, and not lost."""

import pytest
import tag_files


@pytest.fixture
def library(tmp_path):
    """Two songs of Jazz, two files without tags, and one whose genre is too long."""
    folder = tmp_path / "music"
    folder.mkdir()
    tag_files.write(folder / "a", "ASF", {"genre": ["Jazz"], "artist": ["Ann"]})
    tag_files.write(folder / "b", "APEv2 on an MP3", {"genre": ["", "Jazz"]})
    tag_files.write(folder / "long", "FLAC", {"genre": [tag_files.LONG]})
    (folder / "plain.wav").write_bytes(tag_files.sound("a.wav"))
    (folder / "plain.wma").write_bytes(tag_files.sound("second.wma"))
    return folder


def test_files_without_a_label_are_counted_by_format_and_listed(chordal, library):
    command = ("scan", library, "--labels", "tag:genre", "--groups", "tag:artist")
    said = chordal(*command)
    assert (said.status, said.err.count("Traceback")) == (0, 0)
    assert "2 unlabelled: 1 wav, 1 wma; nothing is learned from them: write the tag into them" in said.out
    assert "1 file has tags that are too long" in said.out
    listed = chordal(*command, "--unlabelled")
    assert listed.out.splitlines() == [str(library / "plain.wav"), str(library / "plain.wma")]
    wire = chordal(*command, "--unlabelled", "--json").json
    assert wire["unlabelled"] == {"wav": 1, "wma": 1}
    assert wire["unlabelled_files"] == listed.out.splitlines()
    assert (wire["tracks"]["unlabelled"], wire["labels"]["Jazz"], wire["cut_tags"]) == (2, 2, 1)


def test_an_extraction_says_what_has_no_label_and_its_status_what_is_known(chordal, library):
    said = chordal("extract", library, "--labels", "tag:genre", "--workers", "1", "--recipe", chordal.recipe)
    assert "2 unlabelled: 1 wav, 1 wma" in said.err
    tags = chordal("status", "--json").json["tags"]
    assert tags["formats"] == {"flac": 1, "mp3": 1, "wav": 1, "wma": 2}
    assert (tags["known"], tags["fields"]["genre"], tags["fields"]["artist"]) == (5, 3, 1)
    assert "5 files were asked: " in chordal("status").out
    again = chordal("extract", library, "--labels", "tag:genre", "--workers", "1", "--recipe", chordal.recipe, "--json")
    assert (again.json["unlabelled"], again.json["cut_tags"]) == ({"wav": 1, "wma": 1}, 1)
