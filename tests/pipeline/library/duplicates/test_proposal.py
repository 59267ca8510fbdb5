"""Which of several copies to keep."""

import pytest

from pipeline.library.duplicates import Copy, CopyFacts, propose

BEST = {
    "path": "/m/a.flac", "duration_s": 240.0, "channels": 2, "sample_rate_hz": 44_100, "size_bytes": 30_000_000,
    "note": "", "lossless": True, "bit_rate_kbps": 900.0, "tags": 5,
}  # fmt: skip
MP3 = {**BEST, "path": "/m/a.mp3", "lossless": False, "bit_rate_kbps": 320.0, "size_bytes": 9_600_000}


def proposed(*files):
    copies, facts = [], {}
    for file in files:
        path = file["path"]
        names = ("path", "size_bytes", "duration_s", "sample_rate_hz", "channels", "note")
        own = {name: file[name] for name in names}
        copies.append(Copy(**own, file_key=path, sound_key=path, content_hash=path))
        facts[path] = CopyFacts(format="x", **{name: file[name] for name in ("lossless", "bit_rate_kbps", "tags")})
    return propose(copies, facts)


@pytest.mark.parametrize(
    ("better", "lesser", "reason"),
    [
        ({**MP3, "duration_s": 240.0}, {**BEST, "duration_s": 200.0}, "cut: 3:20 of 4:00"),
        (MP3, {**BEST, "note": "decoded 2 s of 4 s; told so"}, "damaged: decoded 2 s of 4 s"),
        (BEST, {**MP3, "tags": 11}, "lossy"),
        (MP3, {**MP3, "path": "/m/b.mp3", "channels": 1}, "1 of 2 channels"),
        ({**BEST, "sample_rate_hz": 96_000}, {**BEST, "path": "/m/b.flac"}, "44,100 Hz, not 96,000"),
        (MP3, {**MP3, "path": "/m/b.mp3", "bit_rate_kbps": 128.0}, "128 kbit/s, not 320"),
        (MP3, {**MP3, "path": "/b", "tags": 2, "bit_rate_kbps": 318.0}, "2 tags, not 5"),
        (BEST, {**BEST, "path": "/m/b.wav", "size_bytes": 42_000_000, "bit_rate_kbps": 1411.0}, "the larger file"),
        (BEST, {**BEST, "path": "/m/a (1).flac"}, "the longer path"),
        (BEST, {**BEST, "path": "/m/b.flac"}, "the later name"),
    ],
)  # fmt: skip
def test_the_first_difference_decides_and_is_the_reason(better, lesser, reason):
    for files in ((better, lesser), (lesser, better)):
        proposal = proposed(*files)
        assert proposal.keep.path == better["path"]
        assert proposal.go == {lesser["path"]: reason}


def test_a_copy_that_is_a_little_shorter_is_complete():
    assert proposed({**BEST, "duration_s": 237.5}, MP3).keep.path == BEST["path"]


def test_the_bit_rate_of_lossless_files_says_nothing():
    smaller = {**BEST, "path": "/m/a long name.flac", "bit_rate_kbps": 700.0, "size_bytes": 20_000_000}
    assert proposed(BEST, smaller).keep.path == smaller["path"]


def test_each_of_several_copies_has_its_own_reason():
    proposal = proposed(MP3, {**MP3, "path": "/m/b.mp3", "duration_s": 100.0}, BEST)
    assert proposal.keep.path == BEST["path"]
    assert proposal.go == {"/m/a.mp3": "lossy", "/m/b.mp3": "cut: 1:40 of 4:00"}
