"""Copies in sets."""

import numpy as np
import pytest

from pipeline.library.duplicates import Copy, CopyFacts, Words, copy_sets

RANDOM = np.random.default_rng(1)
FACTS = CopyFacts(format="flac", lossless=True, bit_rate_kbps=900.0)


def words(count: int = 300) -> Words:
    return Words(words=RANDOM.integers(1, 2**24, count).astype(np.uint32), levels=np.full(count, 20.0, np.float32))


def changed(print_: Words, share: float, seed: int = 0) -> Words:
    """Return a fingerprint in which this share of the words has every second bit flipped."""
    flips = np.random.default_rng(seed).random(len(print_)) < share
    return Words(words=print_.words ^ np.where(flips, 0x555555, 0).astype(np.uint32), levels=print_.levels)


def copy(path: str, *, file: str, sound: str | None = None, content: str | None = None, size: int = 1000) -> Copy:
    sound = sound or file
    return Copy(
        path=path, file_key=file, sound_key=sound, content_hash=content or sound, size_bytes=size, duration_s=60.0,
        sample_rate_hz=44_100, channels=2,
    )  # fmt: skip


def paths(sets) -> list[tuple[str, list[str]]]:
    return [(each.kind, [copy.path for copy in each.copies]) for each in sets]


A = words()
LIBRARY = [
    copy("/b/copy.flac", file="1", sound="s"),
    copy("/a.flac", file="1", sound="s"),
    copy("/a retagged.flac", file="2", sound="s", size=2000),
    copy("/a.mp3", file="3", content="mp3", size=3000),
    copy("/else.mp3", file="4", content="else"),
]
PRINTS = {"s": A, "mp3": changed(A, 0.2), "else": words()}


def test_a_set_is_named_by_the_loosest_relation_and_the_copies_by_their_own():
    [found] = copy_sets(LIBRARY, PRINTS, lambda _: FACTS)
    assert paths([found]) == [("music", ["/a.flac", "/a retagged.flac", "/a.mp3", "/b/copy.flac"])]
    assert [found.relation(each) for each in found.copies[1:]] == ["sound", "music", "file"]
    assert found.go == found.copies[1:]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("file", [("file", ["/a.flac", "/b/copy.flac"])]),
        ("sound", [("sound", ["/a.flac", "/a retagged.flac", "/b/copy.flac"])]),
    ],
)
def test_a_stricter_kind_leaves_out_what_has_less_in_common(kind, expected):
    assert paths(copy_sets(LIBRARY, PRINTS, lambda _: FACTS, kind=kind)) == expected


def test_without_fingerprints_bytes_and_sound_are_compared():
    found = copy_sets(LIBRARY, {}, lambda _: FACTS)
    assert paths(found) == [("sound", ["/a.flac", "/a retagged.flac", "/b/copy.flac"])]


def test_sets_do_not_depend_on_the_order_of_the_files():
    other = [copy("/0.flac", file="5"), copy("/z.flac", file="5")]
    found = copy_sets([*LIBRARY, *other], PRINTS, lambda _: FACTS)
    assert paths(found) == paths(copy_sets([*other, *LIBRARY][::-1], PRINTS, lambda _: FACTS))
    assert [each.copies[0].path for each in found] == ["/0.flac", "/a.flac"]


def test_what_may_go_is_like_what_is_kept_and_not_over_a_third():
    middle = changed(A, 0.3, seed=1)
    far = changed(middle, 0.33, seed=2)
    files = [copy("/a", file="a"), copy("/middle", file="m"), copy("/z far", file="f")]
    found = copy_sets(files, {"a": A, "m": middle, "f": far}, lambda _: FACTS)
    # the last is like the one in the middle, but not like the one that is kept
    assert paths(found) == [("music", ["/a", "/middle"])]


def test_a_file_that_is_none_any_more_is_in_no_set():
    facts = {each.path: FACTS for each in LIBRARY if each.path != "/a.flac"}
    [found] = copy_sets(LIBRARY, PRINTS, lambda each: facts.get(each.path))
    assert [each.path for each in found.copies] == ["/b/copy.flac", "/a retagged.flac", "/a.mp3"]
    assert copy_sets(LIBRARY[:2], {}, lambda each: facts.get(each.path)) == []


def test_only_files_that_are_not_alone_are_looked_at():
    looked_at: list[str] = []

    def probe(each):
        looked_at.append(each.path)
        return FACTS

    copy_sets(LIBRARY, PRINTS, probe)
    assert sorted(looked_at) == ["/a retagged.flac", "/a.flac", "/a.mp3", "/b/copy.flac"]


def test_a_track_within_an_albums_file_does_not_go():
    lossy = CopyFacts(format="mp3", lossless=False, bit_rate_kbps=128.0, in_album_file=True)
    facts = {"/album.mp3/01": lossy, "/a.flac": FACTS}
    files = [copy("/album.mp3/01", file="1", content="x"), copy("/a.flac", file="2", content="y")]
    [found] = copy_sets(files, {"x": A, "y": A}, lambda each: facts[each.path])
    assert found.proposal.keep.path == "/a.flac"
    assert found.go == ()
