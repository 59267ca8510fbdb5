import unicodedata

import pytest

from pipeline.errors import UsageError
from pipeline.library.folders.exclusions import matching, parse_patterns, read_patterns
from pipeline.library.folders.path_filter import PathFilter
from pipeline.library.scan import scan
from pipeline.plans.scan_rules import ScanRules


def excluded(pattern, path, *, base="/m"):
    """Tell whether a pattern leaves a path out, itself or by a folder above it; one with `/` at its end is a folder."""
    patterns = parse_patterns([pattern] if isinstance(pattern, str) else pattern, base)
    is_folder, names = path.endswith("/"), path.strip("/").split("/")
    return any(
        matching(patterns, f"{base}/{'/'.join(names[:depth])}", is_folder=is_folder or depth < len(names)) is not None
        for depth in range(1, len(names) + 1)
    )


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.tmp", "a.tmp"), ("*.tmp", "x/y/a.tmp"),
        ("Podcasts/", "Podcasts/a.mp3"), ("Podcasts/", "x/Podcasts/a.mp3"),
        ("Podcasts", "Podcasts"), ("/Podcasts/", "Podcasts/a.mp3"), ("**/Demos/**", "x/Demos/a.mp3"),
        ("**/Demos/**", "Demos/y/a.mp3"), ("**/Demos/", "Demos/a"), ("Live/*.mp3", "Live/a.mp3"),
        ("Live/**", "Live/a/b"), ("a/**/b", "a/b"), ("a/**/b", "a/x/y/b"),
        ("?.mp3", "x/1.mp3"), ("[ab].mp3", "b.mp3"), ("[!ab].mp3", "c.mp3"),
        ("[a-c]*", "bird.mp3"), ("[[]x].mp3", "[x].mp3"), (r"\*.mp3", "*.mp3"), ("#recycle", "#recycle/a"),
        ("a.b", "a.b"), ("*", "x"), ("[]]", "]"), ("/m/Podcasts/", "Podcasts/a.mp3"), ("two words", "two words"),
        ("new\nline", "new\nline"), ("{a,b}", "{a,b}"),
    ],
)  # fmt: skip
def test_a_pattern_names_what_it_names_for_git(pattern, path):
    assert excluded(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.tmp", "a.tmp.mp3"),
        ("Podcasts/", "Podcasts"), ("/Podcasts/", "x/Podcasts/a"), ("Live/*.mp3", "Live/x/a.mp3"),
        ("Live/*.mp3", "x/Live/a.mp3"), ("Live/**", "Live"), ("?.mp3", "12.mp3"), ("[ab].mp3", "c.mp3"), ("a.b", "axb"),
        ("podcasts/", "Podcasts/a"), ("[!a]", "a/"), ("{a,b}", "a"), ("a[!x]b", "a/b"),
    ],
)  # fmt: skip
def test_a_pattern_names_nothing_else(pattern, path):
    assert not excluded(pattern, path)


def test_the_last_pattern_that_matches_counts():
    assert excluded(["*.mp3", "!keep.mp3"], "a.mp3")
    assert not excluded(["*.mp3", "!keep.mp3"], "x/keep.mp3")
    assert excluded(["!keep.mp3", "*.mp3"], "keep.mp3")


def test_a_name_is_the_same_in_both_forms_that_systems_write_it_in():
    composed, apart = (unicodedata.normalize(form, "Bjo\u0308rk") for form in ("NFC", "NFD"))
    assert excluded(f"{composed}/", f"{apart}/a.mp3")
    assert excluded(f"{apart}/", f"{composed}/a.mp3")


@pytest.mark.parametrize("pattern", ["", " ", "/", "!", "//", "[", "a[b", "[z-a]", "../x", "./x", "a/../b"])
def test_a_pattern_that_is_none_is_refused_with_its_text(pattern, tmp_path):
    (tmp_path / "a.flac").touch()
    with pytest.raises(UsageError, match=r"^exclude '.*': ") as caught:
        scan([str(tmp_path)], rules=ScanRules(exclude=(pattern,)), may_be_empty=True)
    assert len(str(caught.value).splitlines()) == 1


@pytest.fixture
def library(tmp_path):
    for name in ("a.flac", "Live/b.flac", "Live/Demos/c.flac", "Demos/d.flac", "Demos/keep.flac"):
        path = tmp_path / "library" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "library"


def found(library, *exclude, problems=None):
    tracks = scan(
        [str(library)],
        rules=ScanRules(exclude=exclude),
        on_problem=(problems if problems is not None else {}).__setitem__,
        may_be_empty=True,
    )
    return [track.path.removeprefix(f"{library}/") for track in tracks]


def test_a_file_of_patterns_holds_for_its_folder_and_all_below(library):
    (library / "Live/.chordalignore").write_text("# what was never finished\n\nDemos/\r\n", "utf-8")
    assert found(library) == ["a.flac", "Demos/d.flac", "Demos/keep.flac", "Live/b.flac"]
    (library / ".chordalignore").write_bytes(b"\xef\xbb\xbf/Demos/*\n!keep.flac\n")
    assert found(library) == ["a.flac", "Demos/keep.flac", "Live/b.flac"]
    assert found(library, "a.*") == ["Demos/keep.flac", "Live/b.flac"]


def test_a_mistake_in_a_file_of_patterns_is_one_line_with_its_number(library):
    (library / "Live/.chordalignore").write_text("ok\n[a\n", "utf-8")
    with pytest.raises(UsageError, match=r"Live/\.chordalignore, line 2: '\[a': its '\[' is not closed"):
        found(library)


@pytest.mark.parametrize("make", ["folder", "huge", "dangling"])
def test_a_folder_whose_patterns_cannot_be_read_is_told_and_not_looked_into(library, make):
    path = library / "Live/.chordalignore"
    if make == "folder":
        path.mkdir()
    elif make == "huge":
        path.write_bytes(b"#" * (1 << 20) + b"\nx")
    else:
        path.symlink_to("nowhere")
    problems = {}
    assert found(library, problems=problems) == ["a.flac", "Demos/d.flac", "Demos/keep.flac"]
    [(folder, reason)] = problems.items()
    assert folder == f"{library}/Live"
    assert reason.startswith("its .chordalignore: ")


def test_single_paths_are_left_out_as_a_walk_leaves_them_out(library):
    (library / "Live/.chordalignore").write_text("Demos/\n", "utf-8")
    paths = PathFilter([str(library)], ScanRules(exclude=("/Demos/d*",)))
    names = [
        "a.flac",
        "Live/b.flac",
        "Live/Demos/c.flac",
        "Demos/d.flac",
        "Demos/keep.flac",
        "@eaDir/x.flac",
        "._a.flac",
    ]
    kept = [name for name in names if not paths.leaves_out(f"{library}/{name}", str(library))]
    assert sorted(kept) == sorted(found(library, "/Demos/d*"))
    assert paths.leaves_out(f"{library}/Live/Demos", str(library), is_folder=True)
    # What a file of patterns says is read again only after that is asked for.
    (library / "Live/.chordalignore").write_text("", "utf-8")
    assert paths.leaves_out(f"{library}/Live/Demos/c.flac", str(library))
    paths.forget()
    assert not paths.leaves_out(f"{library}/Live/Demos/c.flac", str(library))


def test_the_patterns_above_a_folder_are_those_of_the_library_and_the_folders_between(library):
    (library / ".chordalignore").write_text("one\n", "utf-8")
    (library / "Live/.chordalignore").write_text("two\n", "utf-8")
    paths = PathFilter([str(library)], ScanRules(exclude=("zero",)))
    assert [each.text for each in paths.patterns_above(f"{library}/Live/Demos", str(library))] == ["zero", "one", "two"]
    assert [each.text for each in paths.patterns_above(f"{library}/Live", str(library))] == ["zero", "one"]
    assert [each.text for each in read_patterns(str(library))] == ["one"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_a_file_of_patterns_is_read_in_whatever_encoding_an_editor_wrote_it(library, encoding):
    (library / "Live/.chordalignore").write_bytes("b.flac\r\nCafé/\r\n".encode(encoding))
    patterns = read_patterns(str(library / "Live"))
    assert matching(patterns, f"{library}/Live/b.flac", is_folder=False) is not None
    assert matching(patterns, f"{library}/Live/Café", is_folder=True) is not None
    assert "Live/b.flac" not in found(library)


@pytest.mark.parametrize("content", [b"Demos/\n*.t\0mp\n", b"\xff\xfea\0b"])
def test_a_file_of_patterns_that_is_no_text_is_never_taken_for_one_that_leaves_nothing_out(library, content):
    (library / ".chordalignore").write_bytes(content)
    with pytest.raises((UsageError, OSError), match=r"again in UTF-8"):
        read_patterns(str(library))
