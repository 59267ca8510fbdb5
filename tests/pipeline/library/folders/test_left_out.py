import errno
import os
import re
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.library.folders.left_out import (
    LeftOut,
    LeftOutTally,
    describe_left_out,
    describe_unreadable,
    sum_left_out,
)
from pipeline.library.folders.signatures import is_sound
from pipeline.library.scan import scan
from pipeline.library.system_names import FOLDERS, system_folder
from pipeline.plans.scan_rules import ScanRules

FLAC = b"fLaC\0\0\0\x22"
MP3_FRAME = b"\xff\xfb\x90\x64" + bytes(413)


class Library:
    """A folder of made files, and what a scan of it finds, leaves out and cannot read."""

    def __init__(self, root):
        self.root = root
        root.mkdir()

    def add(self, *names, content=FLAC):
        for name in names:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return self

    def scan(self, *exclude, **rules):
        tally, self.problems = LeftOutTally(), {}
        given = ScanRules(exclude=exclude, **rules)
        tracks = scan(
            [str(self.root)], rules=given, on_problem=self.problems.__setitem__, left_out=tally, may_be_empty=True
        )
        found = [os.path.relpath(track.path, self.root) for track in tracks]
        self.left_out = tally.total(exclude)
        return found

    @property
    def lines(self):
        return describe_left_out(self.left_out)


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "library")


def spelled(name):
    """Return a name as something would make it, from its name in the table."""
    return name.replace("[0-9]", "0").replace("*", "1").replace("?", "1")


def test_every_folder_of_a_system_is_left_out_at_any_depth_and_counted_by_its_name(library):
    library.add("Jazz/a.flac")
    names = [name for names in FOLDERS.values() for name in names]
    for name in names:
        library.add(f"{spelled(name)}/Jazz/b.flac", f"Jazz/{spelled(name)}/b.flac")
    assert library.scan() == ["Jazz/a.flac"]
    assert library.left_out.system_folders == dict.fromkeys(names, 2)
    assert library.scan(include_hidden=True) == ["Jazz/a.flac"]
    assert library.lines[0].startswith(f"left out {2 * len(names)} folders of the system: ")


@pytest.mark.parametrize(
    "name",
    [
        "@EADIR",
        "$Recycle.bin",
        "Recycle.Bin",
        "@ShareSnap",
        "_unpack_Album",
        "LOST+FOUND",
        "#Recycle",
        "system volume information",
    ],
)
def test_a_folder_of_a_system_is_one_in_any_case(name):
    assert system_folder(name) is not None


@pytest.mark.parametrize(
    "name", ["Recycler", "Recycled", "Snapshot", "Recovery", "lost", "eaDir", "Trash", "#1", "tmp"]
)
def test_an_album_that_is_called_like_one_is_none(library, name):
    library.add(f"{name}/a.flac")
    assert library.scan() == [f"{name}/a.flac"]


def test_a_folder_of_a_system_that_is_named_as_the_library_is_scanned(tmp_path):
    assert Library(tmp_path / "#recycle").add("a.flac", ".b.flac").scan() == ["a.flac"]


def test_files_of_a_system_are_left_out_beside_the_sound_that_they_are_named_after(library):
    library.add("a.flac", "._a.flac", "a.flac@SynoEAStream", "Icon\r", "Thumbs.db", "desktop.ini", ".DS_Store")
    assert library.scan(include_hidden=True) == ["a.flac"]
    assert library.left_out == LeftOut(system_files=6)
    assert library.lines == ["left out 6 files of the system"]


SOUND_NAMES = (
    "mpga m4r weba tak shn dts dtshd eac3 ac3 amr 3gp ogx mp+ mpp fla mkv mka mov flv m2ts mts mpg mpeg vob rm ra qoa "
    "avi wmv asf m4v webm oga opus spx oma aa3 xwma au snd wv tta ape m4b mlp thd voc caf w64 rf64 aifc dsf dff 3g2"
)


@pytest.mark.parametrize("extension", SOUND_NAMES.split())
def test_names_of_all_that_is_read_are_scanned_without_a_look_at_the_content(library, extension):
    library.add(f"a.{extension}", f"b.{extension.upper()}", content=b"")
    assert library.scan() == [f"a.{extension}", f"b.{extension.upper()}"]


def test_what_no_name_tells_is_scanned_where_its_content_is_sound(library):
    library.add("none", "07. Blue in Green", "song.flac.1", "x.xyz", "x.ts")
    library.add("frames", content=MP3_FRAME * 2)
    library.add("tagged", content=b"ID3\x03\0\0\0\0\0\0")
    library.add("stream.ts", content=(b"\x47" + bytes(187)) * 4)
    library.add("README", "code.ts", "empty", "one.frame", content=b"export const a = 1;\n" * 20)
    found = library.scan()
    assert found == ["07. Blue in Green", "frames", "none", "song.flac.1", "stream.ts", "tagged", "x.ts", "x.xyz"]
    assert library.left_out.extensions == {"": 2, "frame": 1, "ts": 1}
    assert library.lines == ["left out 4 files by name: without extension 2, .frame 1, .ts 1"]


@pytest.mark.parametrize(
    "head",
    [
        b"RIFF\0\0\0\0WAVE", b"RF64\0\0\0\0WAVE", b"FORM\0\0\0\0AIFC", b"OggS\0\2", b"\0\0\0\x20ftypM4A ", b"wvpk",
        b"MAC \x96\x0f", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x1a\x45\xdf\xa3", b"#!AMR\n", b"tBaK",
        b"ajkg\2", b"qoaf", b"DSD \x1c", b"FLV\x01\5", b".RMF\0", b"\x7f\xfe\x80\x01", b"\0\0\x01\xba", b".snd",
        b"\x0b\x77\x12\x34\x1c\x40", b"\x0b\x77\x02\xff\x34\x87", b"MP+\x07",
        (b"\xff\xf1\x50\x80\x02\x00\xfc" + bytes(9)) * 2, (b"\0\0\0\0\x47" + bytes(187)) * 3,
    ],
)  # fmt: skip
def test_the_beginnings_of_formats_are_known(head):
    assert is_sound(head + bytes(64))


@pytest.mark.parametrize(
    "head",
    [
        b"", b"\xff\xd8\xff\xe0", b"\x89PNG", b"%PDF-1.7", b"PK\3\4", b"\0" * 64, b"\xff" * 9,
        b"\x0b\x77\x67\xd8\x80\x04\x95{", b"\x0b\x77words", b"MAC addresses", b"MP+ as a name", b"DSD is a format",
    ],
)  # fmt: skip
def test_pictures_archives_words_and_nothing_are_no_sound(head):
    assert not is_sound(head)


def test_pictures_and_lists_are_counted_and_never_opened(library):
    library.add("a.flac", "cover.jpg", "x.m3u8", "x.cue", "y.CUE")
    (library.root / "cover.jpg").chmod(0)
    assert library.scan() == ["a.flac"]
    assert library.left_out.extensions == {"jpg": 1, "m3u8": 1}  # what becomes of cue sheets is counted by itself
    assert library.problems == {}


def test_what_is_protected_or_not_complete_is_named_first(library):
    library.add("a.flac", "a.m4p", "b.aax", "c.mp3.part", "d.mp3.crdownload", "INCOMPLETE~e.mp3", ".f.mp3.icloud")
    library.add("g.flac~", "h.mp3.bak", *(f"{n}.jpg" for n in range(12)))
    assert library.scan() == ["a.flac"]
    [line] = library.lines
    assert line == (
        "left out 20 files by name: .aax 1 (protected), .m4p 1 (protected), .crdownload 1 (not complete), "
        ".icloud 1 (not complete), .incomplete 1 (not complete), .part 1 (not complete), .bak 1 (a copy kept aside), "
        ".flac~ 1 (a copy kept aside), and 12 more"
    )


def test_hidden_music_is_told_and_scanned_on_request(library):
    library.add("a.flac", ".b.flac", ".secret/c.flac").add(".gitignore", content=b"*.o")
    assert library.scan() == ["a.flac"]
    assert library.lines == ["left out 2 hidden; --include-hidden scans what begins with a dot too"]
    assert library.scan(include_hidden=True) == [".b.flac", "a.flac", ".secret/c.flac"]


def test_of_a_million_extensions_so_many_are_counted_by_name():
    tally = LeftOutTally()
    for number in range(3000):
        tally.add_extension(f"x{number}")
    assert len(tally.total().extensions) == 1001
    assert sum(tally.total().extensions.values()) == 3000


def test_the_counts_of_several_walks_add_up_and_survive_the_wire():
    one = LeftOut(system_folders={"@eaDir": 2}, extensions={"jpg": 1}, hidden=1, excluded={"*.tmp": 3}, system_files=1)
    both = sum_left_out([one, one])
    assert both.extensions == {"jpg": 2}
    assert both.system_folders == {"@eaDir": 4}
    assert (both.hidden, both.system_files, both.excluded) == (2, 2, {"*.tmp": 6})
    assert LeftOut.from_wire(both.to_wire()) == both


def test_an_extension_of_odd_bytes_can_be_written_as_json(library):
    path = os.fsencode(library.root) + b"/a.\xff\xfe"
    try:
        Path(os.fsdecode(path)).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes no odd bytes")
    library.scan()
    assert library.left_out.extensions == {r"\udcff\udcfe": 1}


def test_links_that_lead_nowhere_are_told_whatever_their_names_are(library, tmp_path):
    library.add("Jazz/a.flac")
    elsewhere = tmp_path / "not mounted"
    for name in ("Blues", "Vol. 1", "AC.DC", "A.B.C", "x.mp3", "@eaDir", ".hidden", "cover.jpg"):
        (library.root / name).symlink_to(elsewhere / name)
    (library.root / "again").symlink_to(library.root / "Blues")
    (library.root / "through a file").symlink_to(library.root / "Jazz/a.flac/b")
    (library.root / "circle").symlink_to(library.root / "circle")
    assert library.scan() == ["Jazz/a.flac"]
    reasons = {os.path.relpath(path, library.root): reason for path, reason in library.problems.items()}
    away = "no such file or directory"
    assert {name: reason for name, reason in reasons.items() if reason == away} == dict.fromkeys(
        ("Blues", "Vol. 1", "AC.DC", "A.B.C", "x.mp3", "cover.jpg", "again"), away
    )
    assert reasons["through a file"] == "not a directory"
    assert "circle" in reasons
    assert len(reasons) == 9


def test_a_linked_folder_whose_disk_is_away_is_told(library, tmp_path):
    library.add("a.flac")
    (tmp_path / "disk").mkdir()
    (library.root / "disk").symlink_to(tmp_path / "disk")
    library.scan()
    assert library.problems == {f"{library.root}/disk": "the folder it leads to is empty; is its disk mounted?"}


def test_of_many_problems_the_first_have_a_line():
    lines = describe_unreadable(tuple(f"/a/{n}: permission denied" for n in range(60)))
    assert lines[0] == "cannot look into /a/0: permission denied"
    assert lines[50:] == ["cannot look into 10 more; --json lists them"]


def test_a_library_that_goes_away_while_it_is_walked_is_refused(library):
    library.add("a/1.flac", "b/2.flac")
    tracks = scan([str(library.root)], may_be_empty=True)
    next(tracks)
    for folder in ("a", "b"):
        for path in (library.root / folder).iterdir():
            path.unlink()
        (library.root / folder).rmdir()
    with pytest.raises(UsageError, match=r"went away while it was walked.*nothing was marked deleted; try again when"):
        list(tracks)


def test_a_walk_that_leaves_all_out_names_what_did(library):
    library.add("a.flac", "b.flac", "c.tmp")
    with pytest.raises(
        UsageError, match=r"nothing is left of it; left out 3 by --exclude or \.chordalignore: \* 3; mend the patterns"
    ):
        scan([str(library.root)], rules=ScanRules(exclude=("*",)))
    with pytest.raises(
        UsageError, match=rf"no audio files under {re.escape(str(library.root))}/x; .*; left out 1 hidd"
    ):
        scan([str(library.add("x/.a.flac").root / "x")])


def test_a_disk_that_fails_in_the_middle_is_one_line(library, monkeypatch):
    library.add("a/1.flac", "b/2.flac")
    tracks = scan([str(library.root)], may_be_empty=True)
    next(tracks)

    def failing(_folder):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.scandir", failing)
    with pytest.raises(UsageError, match=r"went away while it was walked") as caught:
        list(tracks)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT, errno.EACCES])
def test_a_folder_that_fails_is_told_with_the_reason_and_the_rest_is_found(library, monkeypatch, number):
    library.add("a/1.flac", "b/2.flac")
    listing = os.scandir

    def failing(folder):
        if os.fspath(folder).endswith("/a"):
            raise OSError(number, os.strerror(number))
        return listing(folder)

    monkeypatch.setattr("os.scandir", failing)
    assert library.scan() == ["b/2.flac"]
    assert library.problems == {f"{library.root}/a": os.strerror(number).lower()}
