"""`chordal duplicates` over a small library: three pieces in four encodings, copies of them, and others."""

import csv
import io
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mutagen.flac import FLAC
from songs import song, write

from pipeline.text import printable

pytestmark = pytest.mark.slow

ODD = "odd \udcff.flac" if sys.platform == "linux" else "odd \n.flac"
"""No playlist can have it; a Mac's file system has no names with odd bytes."""
FORMS = ("flac", "mp3", "m4a", "opus")


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """The command line with a home in which the library is extracted by the default recipe."""
    from tests.conftest import Chordal

    chordal = Chordal(tmp_path_factory.mktemp("duplicates"))
    write_library(chordal.folder / "music")
    assert chordal("extract", "music").status == 0
    return chordal


def write_library(library: Path) -> None:
    for number in range(3):
        folder = library / f"album {number}"
        folder.mkdir(parents=True)
        piece = song(100 + number, 12.0)
        for form in FORMS:
            write(folder / f"piece.{form}", piece, bit_rate=96_000)
    shutil.copyfile(library / "album 0" / "piece.mp3", library / "copy of it.mp3")
    shutil.copyfile(library / "album 1" / "piece.flac", os.fsencode(library) + os.fsencode(f"/{ODD}"))
    tagged = FLAC(library / "album 1" / "piece.flac")
    tagged["title"], tagged["artist"] = "Piece", "Somebody"
    tagged.save()
    soundfile.write(library / "short.wav", song(9, 1.0), 44_100)
    soundfile.write(library / "silent.wav", np.zeros((5 * 44_100, 2)), 44_100)
    for number in range(4):
        write(library / f"other {number}.mp3", song(200 + number, 12.0), bit_rate=96_000)
    (library / "link.flac").symlink_to(library / "album 2" / "piece.flac")


def listed(found, folder: Path) -> list[tuple[str, list[str], list[str]]]:
    """Return the kind of each set, and what to keep and what may go in it, relative to a folder."""

    def of(each, proposal) -> list[str]:
        return [os.path.relpath(file["path"], folder) for file in each["files"] if file["proposal"] == proposal]

    return [(each["kind"], of(each, "keep"), of(each, "go")) for each in found["sets"]]


def encoded(number: int) -> list[str]:
    return [f"album {number}/piece.{form}" for form in sorted(FORMS[1:])]


def test_every_piece_is_a_set_of_its_encodings_and_nothing_else_is(extracted):
    found = extracted("duplicates", "--json").json
    assert listed(found, extracted.folder / "music") == [
        ("music", ["album 0/piece.flac"], [*encoded(0), "copy of it.mp3"]),
        ("music", ["album 1/piece.flac"], [*encoded(1), ODD]),
        ("music", ["album 2/piece.flac"], encoded(2)),
    ]
    assert {name: found[name] for name in ("compared", "too_short", "without_fingerprint", "links", "missing")} == {
        "compared": 21,
        "too_short": 2,
        "without_fingerprint": 0,
        "links": 1,
        "missing": 0,
    }
    assert found["may_go"]["files"] == 11
    flac, *lossy = found["sets"][2]["files"]
    assert (flac["format"], flac["lossless"], flac["reason"]) == ("flac", True, "")
    assert {(file["lossless"], file["reason"], file["relation"]) for file in lossy} == {(False, "lossy", "music")}
    assert all(50 < file["bit_rate_kbps"] < 150 for file in lossy)
    [odd] = [file for file in found["sets"][1]["files"] if "odd" in file["path"]]
    assert odd["reason"] == "0 tags, not 2"


def test_copies_of_a_file_alone(extracted):
    found = extracted("duplicates", "music", "--kind", "file", "--json").json
    assert listed(found, extracted.folder / "music") == [("file", ["copy of it.mp3"], ["album 0/piece.mp3"])]


def test_the_table_says_what_to_keep_why_and_what_was_left_out(extracted):
    result = extracted("duplicates", "music/album 0", "music/copy of it.mp3", "music/short.wav")
    assert result.status == 0
    assert "1. same music, other encodings" in result.out
    [kept] = [line for line in result.out.splitlines() if line.startswith("keep")]
    assert kept.split(str(extracted.folder))[1].startswith("/music/album 0/piece.flac")
    assert "1 set among 6 files: 1 same music; 4 of them may go" in result.out
    assert "1 file: too little sound" in result.out


def test_a_row_for_every_file(extracted):
    result = extracted("duplicates", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert [row["set"] for row in rows] == ["1"] * 5 + ["2"] * 5 + ["3"] * 4
    assert any(row["path"].endswith(printable(ODD)) for row in rows)
    assert "links to a file that is listed" in result.err


def test_a_playlist_has_what_may_go_and_can_be_played(extracted):
    result = extracted("duplicates", "--m3u")
    lines = result.out.splitlines()
    assert lines[0] == "#EXTM3U"
    paths = [line for line in lines if not line.startswith("#")]
    assert len(paths) == 10
    assert all(Path(path).is_absolute() and Path(path).is_file() for path in paths)
    assert len([line for line in lines if line.startswith("# keep ")]) == 3
    assert "1 with odd bytes in the path" in result.err


def test_a_library_that_was_never_extracted_is_named(extracted):
    result = extracted("duplicates", "elsewhere")
    assert result.status == 2
    assert "elsewhere: no file of it is known here" in result.err


def test_files_that_went_or_changed_are_counted_and_not_proposed(extracted, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(extracted.home, home, ignore=shutil.ignore_patterns("broker"))
    library = extracted.folder / "music"
    gone, changed = library / "album 0" / "piece.mp3", library / "album 0" / "piece.m4a"
    original = changed.read_bytes(), changed.stat()
    moved = gone.rename(tmp_path / "piece.mp3")
    try:
        changed.write_bytes(b"something else")
        found = extracted("duplicates", "music/album 0", "--json", CHORDAL_HOME=str(home)).json
        assert listed(found, library) == [("music", ["album 0/piece.flac"], ["album 0/piece.opus"])]
        assert (found["missing"], found["changed"]) == (1, 1)
    finally:
        moved.rename(gone)
        changed.write_bytes(original[0])
        os.utime(changed, ns=(original[1].st_atime_ns, original[1].st_mtime_ns))
