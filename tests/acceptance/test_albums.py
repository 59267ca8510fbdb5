"""Albums in one file, on the command line: each track of the cue sheet is a track, and every change is understood."""

import albums
import mutagen
import numpy as np
import pytest
import soundfile
from sounds import RATE_HZ

from storage import open_features

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RECIPE = """
name = "loud"
title = "loudness only"
features = ["ebu_r128", "loudness"]

[[models]]
family = "logistic"
features = "loudness"
"""


@pytest.fixture
def library(tmp_path):
    """A folder with an album and its cue sheet, and the album's tracks as files of their own in another one."""
    (tmp_path / "loud.toml").write_text(RECIPE, "utf-8")
    (tmp_path / "library" / "Best").mkdir(parents=True)
    (tmp_path / "pieces").mkdir()
    pieces = albums.write_album(tmp_path / "library" / "Best" / "album.flac")
    (tmp_path / "library" / "Best" / "album.cue").write_text(albums.sheet("album.wav"), "utf-8")
    for number, piece in enumerate(pieces, 1):
        soundfile.write(tmp_path / "pieces" / f"{number}.wav", piece, RATE_HZ)
    return tmp_path / "library"


def test_an_album_is_its_tracks_whatever_becomes_of_it(chordal, library):
    def extract(folder=library, *options):
        return chordal(
            "extract", folder, "--labels", "tag:genre", "--recipe", library.parent / "loud.toml", "--workers", "1",
            "--json", *options,
        ).json  # fmt: skip

    # first: three tracks, each with the features of its sound as a file of its own
    first = extract()
    assert first["tracks"] == {"scanned": 3, "extracted": 3, "unchanged": 0, "failed": 0}
    assert first["cue_sheets"]["albums"] == 1
    assert extract(library.parent / "pieces")["tracks"]["extracted"] == 3
    assert_tracks_equal_pieces(open_features(chordal.home), library)

    # nothing changed; then other tags on the album: nothing is decoded
    assert extract()["tracks"]["unchanged"] == 3
    album = library / "Best" / "album.flac"
    tags = mutagen.File(album)
    tags["comment"] = "good"
    tags.save()
    again = extract()
    assert (again["tracks"]["unchanged"], again["retagged"]) == (3, 3)

    # another title costs nothing, another border two tracks
    cue = library / "Best" / "album.cue"
    cue.write_text(albums.sheet("album.wav", genre="Rock"), "utf-8")
    assert (extract()["tracks"]["unchanged"], extract()["labels"]) == (3, {"Rock": 3})
    cue.write_text(albums.sheet("album.wav", starts_s=(0, 3, 8)), "utf-8")
    assert extract()["tracks"] == {"scanned": 3, "extracted": 2, "unchanged": 1, "failed": 0}

    # the folder is renamed: the tracks are elsewhere, and known
    (library / "Best").rename(library / "Worst")
    moved = extract()
    assert (moved["tracks"]["unchanged"], moved["deleted"]) == (3, 3)

    # a sheet that cannot be right leaves the album whole and is named
    cue = library / "Worst" / "album.cue"
    cue.write_text(albums.sheet("album.wav", starts_s=(0, 4, 5_000)), "utf-8")
    whole = extract()
    assert (whole["tracks"]["extracted"], whole["deleted"]) == (1, 3)
    (unused,) = whole["cue_sheets"]["unused"]
    assert "album.cue: line 11: track 03 begins at 83:20:00, behind the end of album.wav" in unused
    assert extract(library, "--no-cue")["cue_sheets"]["unused"] == []


def assert_tracks_equal_pieces(features, library) -> None:
    """Each track of the album has the titles of its sheet, and the very rows of the file that was cut out of it."""
    by_path = {track.path: track for track in features.each_track()}
    for number in (1, 2, 3):
        track = by_path[str(library / "Best" / "album.flac" / f"{number:02d}")]
        assert (track.label, track.tags.title, track.tags.artist) == ("Jazz", (f"Song {number}",), ("Band",))
        assert track.duration_s == albums.TRACK_S
    for family in ("ebu_r128", "loudness"):
        table = features.table(family).to_pydict()
        rows: dict[str, list] = {}
        names = features.spec(family).columns
        for at, path in enumerate(table["path"]):
            rows.setdefault(path, []).append([table[name][at] for name in names])
        for number in (1, 2, 3):
            own = rows[str(library.parent / "pieces" / f"{number}.wav")]
            np.testing.assert_array_equal(rows[str(library / "Best" / "album.flac" / f"{number:02d}")], own)
