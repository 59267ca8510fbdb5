import pytest

from pipeline.errors import UsageError
from pipeline.library.tables.csv_file import read_metadata
from pipeline.library.tables.join import JoinTally, describe_join


@pytest.fixture
def read(tmp_path):
    """Write the rows of a table named partial.csv and read it."""

    def make(*paths):
        lines = ["path,label", *(f"{path},label {n}" for n, path in enumerate(paths))]
        (tmp_path / "partial.csv").write_text("\n".join(lines), "utf-8")
        return read_metadata(str(tmp_path / "partial.csv"), libraries=[str(tmp_path)])

    return make


def joined(table, *paths):
    tally = JoinTally(table)
    for path in paths:
        tally.add(path)
    return tally.join()


def test_rows_without_a_file_and_files_without_a_row_are_counted_and_named(read, tmp_path):
    table = read("audio/a.wav", "audio/gone1.wav", "audio/gone2.wav")
    found = joined(table, f"{tmp_path}/audio/a.wav", f"{tmp_path}/audio/new.wav")
    assert (found.rows, found.files, found.rows_without_file, found.files_without_row) == (3, 1, 2, 1)
    assert describe_join(found) == (
        "2 rows of partial.csv match no file, e.g. audio/gone1.wav",
        f"1 file has no row in partial.csv, e.g. {tmp_path}/audio/new.wav",
    )


def test_a_table_that_fits_its_files_says_nothing(read, tmp_path):
    found = joined(read("a.wav", "sub/b.wav"), f"{tmp_path}/a.wav", f"{tmp_path}/sub/b.wav")
    assert describe_join(found) == ()


@pytest.mark.parametrize(
    "written",
    [
        "D:\\Music\\Rock\\caf\u00e9 1.wav",
        "D:/Music/Rock/caf\u00e9 1.wav",
        "\\\\nas\\music\\Rock\\caf\u00e9 1.wav",
        "file:///D:/Music/Rock/caf%C3%A9%201.wav",
        "file://localhost/music/Rock/caf%c3%a9%201.wav",
        "file:///music/Rock/caf%E9%201.wav",
        "Rock/caf%C3%A9%201.wav",
        "Rock\\caf\u00e9 1.wav",
    ],
)
def test_paths_of_windows_and_urls_match_by_folders_and_name_and_it_is_said(read, written):
    found = joined(read(written, "Rock/other.wav"), "/songs/Rock/caf\u00e9 1.wav", "/songs/Rock/other.wav")
    assert (found.files, found.rewritten, found.by_name) == (2, 1, 0)
    assert describe_join(found) == (
        "1 file matched to rows of partial.csv whose paths are written as Windows or a URL writes them",
    )


def test_a_name_with_a_percent_sign_or_a_backslash_of_its_own_is_taken_literally(read, tmp_path):
    found = joined(read("100%25.wav", r"a\b.wav"), f"{tmp_path}/100%25.wav", f"{tmp_path}/a\\b.wav")
    assert (found.files, found.rewritten) == (2, 0)


def test_paths_that_differ_in_case_match_where_one_row_does(read, tmp_path):
    found = joined(read("ROCK/A.WAV", "pop/b.wav"), f"{tmp_path}/rock/a.wav", f"{tmp_path}/pop/b.wav")
    assert (found.files, found.by_case) == (2, 1)
    assert "upper and lower case" in describe_join(found)[0]


def test_two_rows_that_differ_in_case_alone_are_each_of_their_own_file(read, tmp_path):
    table = read("a.wav", "A.wav")
    assert table.values(f"{tmp_path}/a.wav", "label") == ("label 0",)
    assert table.values(f"{tmp_path}/A.wav", "label") == ("label 1",)
    assert table.values("/elsewhere/A.wav", "label") == ("label 1",)
    assert table.values("/elsewhere/A.WAV", "label") == ()


def test_the_longest_end_in_common_decides_between_rows_of_one_name(read):
    table = read(r"D:\Music\Queen\01.mp3", r"D:\Music\Abba\01.mp3", r"D:\Old\Abba\01.mp3")
    assert table.values("/songs/Queen/01.mp3", "label") == ("label 0",)
    assert table.values("/songs/Abba/01.mp3", "label") == ()
    assert table.values("/Music/Abba/01.mp3", "label") == ("label 1",)
    assert table.values("/songs/Kiss/01.mp3", "label") == ()


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return [str(root / name) for name in names]


def test_a_row_that_could_be_that_of_several_files_is_that_of_none_and_it_is_said(read, tmp_path):
    files = put(tmp_path, "Queen/01.mp3", "Abba/01.mp3", "Abba/02.mp3", "@eaDir/02.mp3")
    found = joined(read("01.mp3", "02.mp3"), *files[:3])
    assert (found.files, found.rows_of_several, found.several_example) == (1, 1, "01.mp3")
    assert describe_join(found) == (
        f"2 files have no row in partial.csv, e.g. {tmp_path}/Queen/01.mp3",
        "1 row of partial.csv matches several files by name, e.g. 01.mp3; give their folders too",
    )


def test_a_row_is_that_of_the_file_with_the_longest_end_in_common_and_of_no_other(read, tmp_path):
    files = put(tmp_path, "album/disc1/01.mp3", "album/disc2/01.mp3", "album/Disc3/01.mp3")
    table = read("disc1/01.mp3", r"D:\album\disc3\01.mp3")
    for order in (files, files[::-1]):
        found = joined(table, *order)
        assert (found.files, found.files_without_row, found.rows_of_several) == (2, 1, 0)
    assert [table.values(file, "label") for file in files] == [("label 0",), (), ("label 1",)]


def test_a_row_with_other_folders_matches_by_the_end_of_its_path_and_it_is_said(read):
    found = joined(read("/old/disk/2.wav"), "/songs/2.wav")
    assert describe_join(found) == (
        "1 file matched to rows of partial.csv by the end of the path alone, as the folders are others",
    )


def test_two_rows_that_say_different_things_of_one_file_are_refused_however_they_are_spelled(read):
    with pytest.raises(UsageError, match=r"lines 2 and 3 say different things of a\.wav"):
        read("rock/a.wav", "./rock//a.wav")


def test_a_row_without_a_file_is_shown_in_letters_whatever_encoding_the_table_is_in(tmp_path):
    table = tmp_path / "t.csv"
    table.write_bytes("path,label\ncafé.wav,Pop\n".encode("cp1252"))
    found = joined(read_metadata(str(table)), str(tmp_path / "a.wav"))
    assert found.row_example == "café.wav"
