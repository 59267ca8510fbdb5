import codecs

import mutagen
import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.library.labels import check_labelled, first_value, parse_labels, parse_sources
from pipeline.library.library_file import LibraryFile


def label_of(source, path):
    return first_value(source, LibraryFile(path))


@pytest.fixture
def table(tmp_path):
    """Write the lines of a CSV file into tmp_path and return the words that ask for it."""

    def make(*lines, name="meta.csv"):
        content = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
        (tmp_path / name).write_bytes(content)
        return f"csv:{tmp_path / name}"

    return make


def test_folder_labels_by_the_parent_and_by_folders_further_up():
    path = "/music/rock/Queen/1975/song.wav"
    assert [label_of(parse_labels(spec), path) for spec in ("folder", "folder:1", "folder:2", "folder:4")] == [
        "1975",
        "1975",
        "Queen",
        "music",
    ]
    assert label_of(parse_labels("folder:5"), path) is None
    assert label_of(parse_labels("folder"), "/song.wav") is None


@pytest.mark.parametrize("spec", ["folder:", "folder:0", "folder:-1", "folder:x", "folder:\u00b2"])
def test_a_folder_level_that_is_no_number_is_refused(spec):
    with pytest.raises(UsageError, match="folder:1 for the parent"):
        parse_labels(spec)


@pytest.mark.parametrize(
    ("spec", "name", "expected"),
    [
        (r"name:_(\d)\.[^.]+$", "enter_sandman_0.mp3", "0"),  # the digit before the extension
        (r"name:_(\d)\.[^.]+$", "suite_no_3_2.x.mp3", None),
        (r"name:^\d-(\d+)-", "1-100032-A.ogg", "100032"),
        (r"name:^\d", "1-100032-A.ogg", "1"),
        (r"name:(?:x(y))?z", "z.wav", None),
        (r"name:^(\w*)-", "-a.wav", None),
        (r"name:rock|jazz", "cool jazz.wav", "jazz"),
        (r"name:a:b", "a:b.wav", "a:b"),
    ],
)
def test_a_regex_is_searched_in_the_file_name_and_its_first_group_counts(spec, name, expected):
    assert label_of(parse_labels(spec), f"/jazz 9-9/{name}") == expected


def test_a_bad_regex_and_unknown_words_are_refused_with_what_may_stand_there():
    with pytest.raises(UsageError, match=r"labels name:\(: not a regular expression"):
        parse_labels("name:(")
    for spec in ("", "name:", "tag:", "nmae:x", "csv", "csv:", "genre"):
        with pytest.raises(UsageError, match=r"labels .*(give folder, folder:N|give one)"):
            parse_labels(spec)


def test_one_name_in_two_unicode_forms_is_one_label():
    source = parse_labels("folder")
    assert label_of(source, "/Bjo\u0308rk/a.wav") == label_of(source, "/Bj\u00f6rk/a.wav") == "Bj\u00f6rk"
    assert label_of(source, "/ spaced /a.wav") == "spaced"


@pytest.mark.parametrize("written", ["/songs/rock/a.wav", "rock/a.wav", "./rock//a.wav", "a.wav"])
def test_csv_paths_may_be_absolute_relative_to_a_library_or_file_names(table, written):
    source = parse_labels(table("path,label", f"{written},metal", ""), libraries=["/songs"])
    assert label_of(source, "/songs/rock/a.wav") == "metal"
    assert label_of(source, "/songs/rock/b.wav") is None


def test_csv_paths_may_be_relative_to_the_csv_file(table, tmp_path):
    source = parse_labels(table("path,label", "x/a.wav,metal"))
    assert label_of(source, f"{tmp_path}/x/a.wav") == "metal"


def test_a_row_counts_by_its_file_name_only_when_it_leads_nowhere_else(table, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.wav").touch()
    source = parse_labels(table("path,label", "a/1.wav,metal", "/old/disk/2.wav,jazz"))
    assert label_of(source, f"{tmp_path}/b/1.wav") is None
    assert label_of(source, f"{tmp_path}/b/2.wav") == "jazz"


def test_a_file_name_that_is_in_the_table_twice_says_nothing(table):
    source = parse_labels(table("path,label", "a/1.wav,metal", "b/1.wav,jazz"), libraries=["/songs"])
    assert label_of(source, "/elsewhere/1.wav") is None
    assert label_of(source, "/songs/b/1.wav") == "jazz"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_marks_and_line_ends_are_found_out(table, delimiter, mark, end):
    lines = [["Path", "Label", "group", "fold"], ['"a, b; c.wav"', "m\u00e9tal", "g1", "3"], ["", "", "", ""]]
    content = end.join(delimiter.join(cells) for cells in lines).encode()
    sources = parse_sources(labels=table(mark + content))
    path = "/x/a, b; c.wav"
    assert [label_of(source, path) for source in (sources.labels, sources.groups, sources.folds)] == [
        "m\u00e9tal",
        "g1",
        "3",
    ]


def test_utf16_as_spreadsheets_save_it_is_read(table):
    assert label_of(parse_labels(table("path;label\na.wav;rock".encode("utf-16"))), "/x/a.wav") == "rock"


def test_the_headers_of_urbansound_are_understood(table):
    content = (
        "slice_file_name,fsID,start,end,salience,fold,classID,class\n100032-3-0-0.wav,100032,0,0.3,1,5,3,dog_bark\n"
    )
    sources = parse_sources(labels=table(content))
    assert label_of(sources.labels, "/us8k/audio/fold5/100032-3-0-0.wav") == "dog_bark"
    assert label_of(sources.folds, "/us8k/audio/fold5/100032-3-0-0.wav") == "5"
    assert sources.groups is None


def test_groups_and_folds_come_from_the_labels_csv_from_another_or_from_elsewhere(table):
    labels = table("path,label,group,fold", "a.wav,rock,g,1")
    other = table("path,fold", "a.wav,9", name="folds.csv")
    assert label_of(parse_sources(labels=labels, groups="csv", folds="csv").groups, "/x/a.wav") == "g"
    assert label_of(parse_sources(labels=labels, folds=other).folds, "/x/a.wav") == "9"
    assert label_of(parse_sources(labels=labels, groups="folder:1").groups, "/x/a.wav") == "x"
    assert label_of(parse_sources(labels="folder", folds=r"name:^\d").folds, "/x/7.wav") == "7"
    plain = parse_sources(labels="folder")
    assert (plain.groups, plain.folds) == (None, None)


def test_the_tables_of_labels_groups_and_folds_are_each_joined_once(table):
    labels = table("path,label,group", "a.wav,rock,g")
    other = table("path,fold", "a.wav,9", name="folds.csv")
    assert len(parse_sources(labels=labels, folds=other).tables) == 2
    assert len(parse_sources(labels=labels, groups=labels).tables) == 1
    assert parse_sources(labels="folder").tables == ()


def test_a_column_of_groups_that_is_empty_is_not_used_without_being_asked_for(table):
    assert parse_sources(labels=table("path,label,group", "a.wav,rock, ")).groups is None


def test_an_empty_cell_is_no_label(table):
    assert label_of(parse_labels(table("path,label", "a.wav, ")), "/a.wav") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,label\na.wav,x\n", "no column path"),
        ("", "no column path"),
        ("path,genre\na.wav,x\n", "has no column label; it has path, genre"),
        ("path,label\n", "no rows"),
        ("path,label\na.wav\n", "line 2 has 1 columns"),
        ("path,label\n,rock\n", "line 2 has 2 columns or no path"),
        ("path,label\na.wav,rock\na.wav,jazz\n", r"lines 2 and 3 say different things of a\.wav"),
        (b"\xff\xfea", "not valid UTF-16"),
    ],
)
def test_what_is_wrong_in_a_csv_file_is_named(table, content, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_labels(table(content))
    assert len(str(caught.value).splitlines()) == 1


def test_the_same_row_twice_is_no_contradiction(table):
    assert label_of(parse_labels(table("path,label", "a.wav,rock", "a.wav,rock")), "/a.wav") == "rock"


def test_a_missing_csv_file_or_column_and_csv_without_one_are_refused(table):
    with pytest.raises(UsageError, match=r"gone\.csv: no such file"):
        parse_labels("csv:gone.csv")
    with pytest.raises(UsageError, match="groups csv: the labels come from no CSV file"):
        parse_sources(labels="folder", groups="csv")
    with pytest.raises(UsageError, match=r"folds csv: .* has no column fold"):
        parse_sources(labels=table("path,label", "a.wav,x"), folds="csv")


def test_bytes_that_are_not_utf8_match_the_names_they_stand_for(table):
    assert label_of(parse_labels(table("path,label", b"caf\xe9.wav,rock")), "/x/caf\udce9.wav") == "rock"


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "wav", "aiff"])
def test_tags_are_read_from_every_format(write, kind):
    path = write(f"a.{kind}", np.zeros(22_050))
    file = mutagen.File(path, easy=True)
    if file.tags is None:
        file.add_tags()
    if kind in {"wav", "aiff"}:
        file.tags.add(mutagen.id3.TCON(encoding=3, text=["Rock", "Pop"]))
        file.tags.add(mutagen.id3.TPE1(encoding=3, text=["Queen"]))
    else:
        file["genre"], file["artist"] = ["Rock", "Pop"], "Queen"
    file.save()
    assert [label_of(parse_labels(f"tag:{field}"), path) for field in ("genre", "artist", "album", "Genre")] == [
        "Rock",
        "Queen",
        None,
        "Rock",
    ]
    assert label_of(parse_labels("tag:no such field"), path) is None


def test_a_file_without_tags_or_that_is_no_audio_has_no_tag_label(write, tmp_path):
    (tmp_path / "text.mp3").write_text("no sound")
    (tmp_path / "empty.flac").touch()
    source = parse_labels("tag:genre")
    for path in (write("a.wav"), str(tmp_path / "text.mp3"), str(tmp_path / "empty.flac"), str(tmp_path / "gone.mp3")):
        assert label_of(source, path) is None


def test_a_source_that_labels_nothing_is_refused_with_a_name_to_try_it_on():
    source = parse_labels(r"name:_(\d)\.")
    with pytest.raises(
        UsageError, match=r"labels name:.*: none of 12 files got a label, e\.g\. song\.mp3; the expression"
    ):
        check_labelled(source, scanned=12, labelled=0, example="/x/song.mp3")
    check_labelled(source, scanned=12, labelled=1, example="/x/song.mp3")
    check_labelled(source, scanned=0, labelled=0, example="")
