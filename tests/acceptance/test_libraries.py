"""Libraries as they are: what is left out, cannot be read or is used in part is told by every command of a run."""

import csv
import json
import os
import shutil
import subprocess

import pytest
import soundfile
from sounds import RATE_HZ, sound

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WORK = ("--workers", "1")


@pytest.fixture
def library(tmp_path):
    """A folder with a function that adds songs of their own to it."""

    def add(*names):
        for number, name in enumerate(names):
            path = tmp_path / "library" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound(number), RATE_HZ, format="WAV")
        return tmp_path / "library"

    return add


def test_every_command_tells_what_was_left_out_and_what_could_not_be_read(chordal, library, tmp_path):
    # given a library with an album on another disk
    root = library(
        "Jazz/a.wav", "Jazz/b.wav", "#recycle/Jazz/c.wav", "Jazz/d", "Jazz/e.m4p", "Jazz/.f.wav", "Pod/g.wav"
    )
    (root / "Jazz/cover.jpg").write_bytes(b"no picture")
    (tmp_path / "disk/Blues").mkdir(parents=True)
    shutil.copy(root / "Jazz/a.wav", tmp_path / "disk/Blues/h.wav")
    (root / "Blues").symlink_to(tmp_path / "disk/Blues")
    left_out = {
        "system_folders": {"#recycle": 1},
        "system_files": 0,
        "extensions": {"jpg": 1, "m4p": 1},
        "hidden": 1,
        "excluded": {"Pod/": 1},
        "unmatched": ["Nothing/"],
    }
    words = ("extract", root, "--recipe", chordal.recipe, *WORK, "--exclude", "Pod/", "--exclude", "Nothing/")
    first = chordal(*words, "--json").json
    assert first["tracks"]["extracted"] + first["duplicates"] == 4
    assert (first["unreadable"], first["left_out"], first["remarks"]) == ([], left_out, 0)

    # when the disk goes
    (tmp_path / "disk").rename(tmp_path / "away")
    unreadable = [f"{root}/Blues: no such file or directory"]
    again = chordal(*words)

    # then its tracks are kept, and each command says so
    assert f"cannot look into {unreadable[0]}" in again.err.splitlines()
    assert [line.split("left out ")[1].rstrip() for line in again.out.splitlines() if "left out" in line] == [
        "1 folder of the system: #recycle 1",
        "2 files by name: .m4p 1 (protected), .jpg 1",
        "1 hidden; --include-hidden scans what begins with a dot too",
        "1 by --exclude or .chordalignore: Pod/ 1",
    ]
    assert "--exclude Nothing/ left nothing out; is it spelled right?" in again.out
    assert f"unreadable  {unreadable[0]}; what was in there before is kept" in again.out
    for command in ("scan", "extract"):
        found = chordal(command, *words[1:4], *(WORK if command == "extract" else ()), "--json").json
        assert (found["unreadable"], found["deleted"]) == (unreadable, 0)
        assert found["left_out"] == {**left_out, "excluded": {}, "unmatched": []}
    assert chordal("status", "--json").json["ledger"]["deleted"] == 0
    # What is excluded is no part of the library, and gone only when it is.
    excluded = ("scan", root, "--exclude", "a.wav", "--json")
    assert chordal(*excluded).json["deleted"] == 0
    (root / "Jazz/a.wav").unlink()
    assert chordal(*excluded).json["deleted"] == 1
    page = chordal("report", "--out", tmp_path / "report.html")
    assert page.status == 0
    text = (tmp_path / "report.html").read_text("utf-8").partition("What was scanned")[0]
    assert f"Could not be read: {root}/Blues: no such file or directory" in text
    assert "Left out 2 files by name: .m4p 1 (protected), .jpg 1." in text


DISK = """
set -e
mount -t tmpfs none "$1/disk"
cp "$1/Jazz/a.wav" "$1/disk/b.wav"
shift
"$@" > first.json
umount "$3/disk"
"$@" > second.json
"$@" > third.json
rmdir "$3/disk"
"$@" > last.json
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no namespaces with mounts of their own here")
def test_tracks_of_a_disk_inside_a_library_are_kept_while_its_folder_is_there_and_empty(chordal, library, tmp_path):
    # given a disk in a library, when it is not mounted at later scans, and at last its folder is removed
    root = library("Jazz/a.wav")
    (root / "disk").mkdir()
    words = [*chordal.command("scan", root, "--json")]
    scan = ["sh", "-c", DISK.replace("$3", str(root)), "sh", str(root), *words]
    ended = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", *scan],
        capture_output=True, text=True, cwd=tmp_path, env=chordal.environment(), check=False,
    )  # fmt: skip
    if not (tmp_path / "first.json").exists():
        pytest.skip(f"nothing can be mounted here: {ended.stderr}")
    assert ended.returncode == 0, ended.stderr
    first, second, third, last = (
        json.loads((tmp_path / f"{name}.json").read_text("ascii")) for name in ("first", "second", "third", "last")
    )

    # then it is told each time, and its track is gone with the folder alone
    away = f"{root}/disk: nothing is mounted there any more; remove the folder if that is for good"
    assert [each["tracks"]["scanned"] for each in (first, second, third, last)] == [2, 1, 1, 1]
    assert [each["unreadable"] for each in (first, second, third, last)] == [[], [away], [away], []]
    assert [each["deleted"] for each in (first, second, third, last)] == [0, 0, 0, 1]


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="nobody can lose the rights of root")
def test_a_folder_without_permission_is_in_the_json_of_an_extraction(chordal, library):
    root = library("Jazz/a.wav", "Rock/b.wav")
    (root / "Rock").chmod(0)
    rights = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    words = chordal.command("scan", root, "--json")
    try:
        ended = subprocess.run([*rights, *words], capture_output=True, text=True, check=True, env=chordal.environment())
    finally:
        (root / "Rock").chmod(0o755)
    assert f'"unreadable": ["{root}/Rock: permission denied"]' in ended.stdout


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            ("--exclude", "*"),
            "nothing is left of it; left out 2 by --exclude or .chordalignore: * 2; mend the patterns",
        ),
        (("--exclude", "a["), "exclude 'a[': its '[' is not closed; write '[[]' for the letter itself"),
        (("--exclude", ""), "exclude '': names nothing; give a pattern, e.g. '*.tmp' or 'Podcasts/'"),
    ],
)
def test_patterns_that_leave_nothing_or_are_none_are_one_line_and_status_2(chordal, library, options, reason):
    result = chordal("scan", library("a.wav", "b.wav"), *options)
    assert (result.status, result.out) == (2, "")
    assert result.err.splitlines()[-1].endswith(reason)


def test_files_that_were_used_in_part_are_listed_with_what_was_used(chordal, library, tmp_path):
    # given a file that was cut short
    root = library("Jazz/a.wav")
    soundfile.write(root / "Jazz/cut.wav", sound(1, seconds=8.0), RATE_HZ)
    whole = (root / "Jazz/cut.wav").read_bytes()
    (root / "Jazz/cut.wav").write_bytes(whole[: len(whole) * 3 // 4])
    ended = chordal("extract", root, "--recipe", chordal.recipe, *WORK)
    told = "1 file was used in part or has a remark; `chordal failures --remarks` lists it"
    assert told in ended.out

    # when they are listed, then it is among the remarks in every form, and no failure
    assert chordal("failures", "--json").json == {"failures": []}
    [row] = chordal("failures", "--remarks", "--json").json["remarks"]
    assert row["path"] == f"{root}/Jazz/cut.wav"
    assert 0 < row["used_s"] < len(whole) / 2 / RATE_HZ
    assert row["note"].startswith("decoded ")
    [line] = csv.DictReader(chordal("failures", "--remarks", "--csv").out.splitlines())
    assert (line["path"], line["note"]) == (row["path"], row["note"])
    assert row["note"] in chordal("failures", "--remarks").out
    status = chordal("status", "--json").json
    assert status["remarks"] == 1
    exported = tmp_path / "rows.csv"
    family = chordal("store", "info", "--json").json["families"][0]["key"]
    assert chordal("store", "export", "--family", family, "--format", "csv", "--out", exported).status == 0
    with exported.open(encoding="utf-8", newline="") as file:
        assert {row["note"] for row in csv.DictReader(file)} == {"", row["note"]}
