import pytest

from pipeline.errors import UsageError
from pipeline.library.tables.csv_file import read_metadata


@pytest.fixture
def read(tmp_path):
    """Write the bytes of a CSV file and read it."""

    def make(content):
        (tmp_path / "meta.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_metadata(str(tmp_path / "meta.csv"), libraries=["/songs"])

    return make


def labels(table):
    return [label for row in table.rows for label in row.entries["label"]]


def test_labels_in_windows_1252_are_read_and_the_line_is_noted(read):
    table = read(
        "path,label\r\na.wav,Chanson fran\xe7aise\r\nb.wav,\u201eM\xe4rchen\u201c\r\nc.wav,Pop\r\n".encode("cp1252")
    )
    assert labels(table) == ["Chanson fran\xe7aise", "\u201eM\xe4rchen\u201c", "Pop"]
    assert table.notes == ("line 2 is not UTF-8 (byte E7); read as Windows-1252 (and 1 more)",)


def test_lines_in_utf8_and_in_windows_1252_may_stand_in_one_file(read):
    table = read("path,label\na.wav,M\xe9tal\n".encode() + "b.wav,M\xe9tal\n".encode("cp1252"))
    assert labels(table) == ["M\xe9tal", "M\xe9tal"]


@pytest.mark.parametrize(
    ("label", "encoding"),
    [
        ("\u0420\u043e\u043a", "cp1251"),
        ("\u0420\u043e\u043a", "koi8-r"),
        ("\u0414\u0436\u0430\u0437", "cp866"),
        ("\u03a1\u03bf\u03ba", "cp1253"),
        ("\u30b8\u30e3\u30ba", "shift_jis"),
        ("\u30ed\u30c3\u30af", "euc_jp"),
        ("\u6447\u6eda", "gbk"),
        ("\ub85d\uc74c\uc545", "euc_kr"),
        ("Chanson fran\xe7aise", "mac_roman"),
        ("F\xfcr Elise", "mac_roman"),
        ("caf\xe9", "cp850"),
        ("M\xfcsik", "cp437"),
    ],
)
def test_labels_in_another_encoding_are_refused_by_their_line(read, label, encoding):
    with pytest.raises(
        UsageError, match=r"line 3 is neither UTF-8 nor Windows-1252 \(byte [0-9A-F]{2}\); write it again"
    ):
        read(f"path,label\na.wav,Pop\nb.wav,{label}\n".encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
def test_wide_encodings_are_read_with_and_without_a_mark(read, encoding):
    assert labels(read("path;label\na.wav;fran\xe7ais\n".encode(encoding))) == ["fran\xe7ais"]


def test_a_path_in_windows_1252_is_that_of_the_file_with_its_bytes_and_of_the_one_with_its_letters(read):
    table = read("path,label\nrock/caf\xe9.wav,Rock\n".encode("cp1252"))
    for path in ("/songs/rock/caf\udce9.wav", "/songs/rock/caf\xe9.wav", "/songs/rock/cafe\u0301.wav"):
        assert table.values(path, "label") == ("Rock",)
    assert table.notes == ("line 2 is not UTF-8 (byte E9); read as Windows-1252",)


def test_letters_that_were_encoded_twice_or_lost_before_are_kept_and_noted(read):
    table = read("path,label\na.wav,F\xc3\xbcr Elise\nb.wav,Caf\ufffd\nc.wav,\xc3tre\n")
    assert labels(table) == ["F\xc3\xbcr Elise", "Caf\ufffd", "\xc3tre"]
    assert table.notes == (
        "line 2 looks as if it was encoded twice: F\xc3\xbcr Elise may be F\xfcr Elise; kept as it is",
        "line 3 has lost letters before: Caf\ufffd; correct it",
    )


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n", "\r\r\n"])
def test_the_line_ends_of_every_system_are_read(read, end):
    assert labels(read(end.join(["path,label", "a.wav,Rock", "b.wav,Pop", ""]))) == ["Rock", "Pop"]


def test_marks_and_headers_of_joined_files_and_excels_own_line_are_no_rows(read):
    table = read("sep=;\r\npath;label\r\na.wav;Rock\r\n\ufeffpath;label\r\n\ufeffb.wav;Pop, Rock\r\n\x1a")
    assert labels(table) == ["Rock", "Pop, Rock"]
    assert table.notes == ("line 4 the names of the columns again; left out",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,label\na.wav,Rock\0\n", "line 2 has a NUL byte"),
        (b"path,label\r\na.wav,Rock\r\n\0\0\0\0", "line 3 has a NUL byte"),
        ('path,label\na.wav,Rock\n"b.wav,Pop\nc.wav,Jazz\n', "line 3: a quote is opened and never closed"),
        (
            'path,label\na.wav,"Rock\nb.wav,Pop\n"c.wav",Jazz\n',
            "line 2: a quote is opened there and closed lines later",
        ),
        ("path,label,Label\na.wav,Rock,Pop\n", "2 columns are named label"),
        ("path,path,label\na.wav,b.wav,Pop\n", "2 columns are named path"),
        ("a.wav,Rock\nb.wav,Pop\n", "no column path; the first line must name the columns"),
        ("   , label\na.wav,Rock\n", "no column path"),
        ("path,label\n" + "x" * 200_000 + ",Rock\n", "line 2: field larger"),
        ("path;label\na.wav;Rock\n".encode("utf-16")[:-1], "not valid UTF-16"),
    ],
)
def test_what_cannot_be_read_for_certain_is_refused_by_its_line(read, content, message):
    with pytest.raises(UsageError, match=message) as caught:
        read(content)
    assert len(str(caught.value).splitlines()) == 1


def test_a_column_of_spaces_is_noted_as_empty(read):
    table = read("path,label,group\na.wav,Rock,  \nb.wav,Pop,\xa0\n")
    assert table.notes == ("column group is empty in every line",)
    assert not table.is_filled("group")


def test_a_quoted_name_may_hold_quotes_and_line_breaks(read):
    assert labels(read('path,label\na.wav,"12"" Mix"\nb.wav,"two\nlines"\n')) == ['12" Mix', "two\nlines"]
