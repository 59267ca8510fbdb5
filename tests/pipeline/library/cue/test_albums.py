import os

import encoders
import numpy as np
import pytest
import soundfile
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC, CueSheet, CueSheetTrack, CueSheetTrackIndex

from pipeline.audio.decode import decode
from pipeline.audio.parts import decode_part
from pipeline.library.cue.albums import AlbumSheets
from pipeline.library.labels import parse_sources
from pipeline.library.scan import scan
from pipeline.plans.scan_rules import ScanRules

RATE_HZ = 44_100
HEAD = 'PERFORMER "Band"\nTITLE "Album"\nREM GENRE Metal\nREM DATE 1999\nFILE "album.wav" WAVE\n'
STARTS = ("00:00:00", "00:07:10", "00:13:74")


def sheet(*starts, head=HEAD, titles=("one", "two", "three")):
    tracks = [
        f'  TRACK {number:02d} AUDIO\n    TITLE "{title}"\n    INDEX 01 {start}\n'
        for number, (start, title) in enumerate(zip(starts, titles, strict=False), start=1)
    ]
    return head + "".join(tracks)


@pytest.fixture
def album(tmp_path):
    """Return a folder with an album of 20 s as one FLAC."""
    samples = np.random.default_rng(1).standard_normal((20 * RATE_HZ, 2)) * 0.1
    soundfile.write(tmp_path / "album.flac", samples, RATE_HZ)
    return tmp_path


def scanned(folder, **options):
    sheets = AlbumSheets()
    tracks = list(scan([str(folder)], sheets=sheets, **options))
    return tracks, sheets.counts()


def names(folder, **options):
    return [os.path.relpath(track.path, folder) for track in scanned(folder, **options)[0]]


def test_a_sheet_cuts_an_album_into_tracks_whose_sound_is_that_of_the_album_to_the_sample(album):
    (album / "album.cue").write_text(sheet(*STARTS))
    tracks, counts = scanned(album, sources=parse_sources(labels="tag:genre", groups="tag:title"))
    assert [os.path.relpath(track.path, album) for track in tracks] == [f"album.flac/0{n}" for n in (1, 2, 3)]
    assert [(track.label, track.group) for track in tracks] == [("Metal", "one"), ("Metal", "two"), ("Metal", "three")]
    assert (counts.used, counts.albums, counts.tracks, counts.unused) == (1, 1, 3, ())
    pieces = [
        decode_part(track.file_path, start_s=track.part.start_s, end_s=track.part.end_s, max_duration_s=60.0).samples
        for track in tracks
    ]
    whole = decode(str(album / "album.flac"), max_duration_s=60.0).samples
    assert [len(piece) for piece in pieces] == [535 * 588, 514 * 588, len(whole) - 1049 * 588]
    assert np.array_equal(np.concatenate(pieces), whole)


def test_an_edited_sheet_changes_the_stamps_of_its_tracks(album):
    (album / "album.cue").write_text(sheet(*STARTS))
    before = {track.stamp for track in scanned(album)[0]}
    (album / "album.cue").write_text(sheet(*STARTS, titles=("one", "two", "another")))
    assert before.isdisjoint(track.stamp for track in scanned(album)[0])


def test_an_album_stays_whole_when_that_is_wanted(album):
    (album / "album.cue").write_text(sheet(*STARTS))
    assert names(album, rules=ScanRules(cue=False)) == ["album.flac"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        (HEAD, "it has no tracks"),
        (sheet("00:00:00", "70:00:00"), "line 9: track 02 begins at 70:00:00, behind the end of album.wav at 00:20:00"),
        (sheet("00:07:00", "00:03:00"), "line 9: track 02 begins at 00:03:00, not after the one before it"),
        (sheet("00:00:00", "00:03:75"), "line 11: INDEX '01 00:03:75' is no number and time, MM:SS:FF"),
        (
            sheet(*STARTS, head='FILE "gone.flac" WAVE\n'),
            "line 2: names 'gone.flac', which is not there; correct its FILE line",
        ),
        (
            sheet(*STARTS, head='FILE "../album.flac" WAVE\n'),
            "line 2: names '../album.flac', which is not in its folder; only files beside a sheet are cut",
        ),
        (
            sheet(*STARTS, head='FILE "/etc/album.flac" WAVE\n'),
            "line 2: names '/etc/album.flac', which is not in its folder; only files beside a sheet are cut",
        ),
        ("\0" * 40, "it is empty"),
        (" " * 1_100_000, "1,100,000 bytes are no cue sheet"),
    ],
)
def test_a_sheet_that_cannot_be_used_leaves_its_album_whole_and_is_named(album, text, reason):
    (album / "album.cue").write_text(text)
    tracks, counts = scanned(album)
    assert [track.path for track in tracks] == [str(album / "album.flac")]
    assert counts.used == 0
    if "\0" not in text:
        assert counts.unused == (f"{album}/album.cue: {reason}",)
    else:
        assert len(counts.unused) == 1


@pytest.mark.parametrize(
    ("encoding", "title", "guess"),
    [
        ("utf-8", "Björk", ""),
        ("utf-8-sig", "Björk", ""),
        ("utf-16", "Björk", ""),
        ("cp1252", "Björk Jóga", "Windows-1252"),
        ("cp932", "椎名林檎 無罪モラトリアム", "Shift-JIS"),
        ("gbk", "周杰伦 七里香", "GBK"),
    ],
)
def test_titles_are_read_in_the_encodings_that_rippers_write_and_a_guess_is_said(album, encoding, title, guess):
    (album / "album.cue").write_bytes(sheet(*STARTS, titles=(title, "b", "c")).replace("\n", "\r").encode(encoding))
    tracks, counts = scanned(album, sources=parse_sources(labels="folder", groups="tag:title"))
    assert tracks[0].group == title
    said = f"{album}/album.cue: read as {guess}, which is a guess; save it as UTF-8 to be sure"
    assert counts.notes == ((said,) if guess else ())


def test_of_two_sheets_that_of_the_files_name_counts_and_the_other_one_is_named(album):
    (album / "a.cue").write_text(sheet("00:00:00", "00:05:00"))
    (album / "album.cue").write_text(sheet(*STARTS))
    tracks, counts = scanned(album)
    assert len(tracks) == 3
    assert counts.unused == (f"{album}/a.cue: album.cue is for the same file, and used",)


def test_a_sheet_inside_a_file_cuts_it_unless_one_beside_it_says_otherwise(album):
    file = FLAC(album / "album.flac")
    file["cuesheet"] = sheet("00:00:00", "00:05:00")
    file.save()
    assert names(album) == ["album.flac/01", "album.flac/02"]
    (album / "album.cue").write_text(sheet(*STARTS))
    tracks, counts = scanned(album)
    assert len(tracks) == 3
    assert counts.notes == (f"{album}/album.flac: the sheet inside it is another one; the one beside it is used",)


def test_a_sheet_of_one_track_for_each_file_changes_nothing(album):
    (album / "album.cue").write_text(sheet("00:00:00"))
    tracks, counts = scanned(album)
    assert [track.path for track in tracks] == [str(album / "album.flac")]
    assert (counts.used, counts.unused) == (0, ())


def test_hidden_sound_is_track_zero_and_a_data_track_is_none(album):
    text = sheet("00:06:00", "00:10:00", "00:15:00").replace("TRACK 03 AUDIO", "TRACK 03 MODE1/2352")
    (album / "album.cue").write_text(text)
    tracks, _ = scanned(album)
    assert [(track.part.number, track.part.start_s, track.part.end_s) for track in tracks] == [
        (0, 0.0, 6.0),
        (1, 6.0, 10.0),
        (2, 10.0, 15.0),
    ]


@pytest.mark.parametrize("kind", ["whole.wv", "whole.tta"])
def test_the_apev2_tag_of_a_lossless_file_has_a_sheet(tmp_path, kind):
    samples = np.random.default_rng(1).standard_normal((20 * RATE_HZ, 2)).astype(np.float32) * 0.1
    path = tmp_path / kind.replace("whole", "album")
    path.write_bytes(encoders.encode(kind, samples))
    tags = APEv2()
    tags["Cuesheet"] = sheet(*STARTS)
    tags.save(path)

    tracks, counts = scanned(tmp_path)

    assert [track.path for track in tracks] == [f"{path}/{number:02d}" for number in (1, 2, 3)]
    assert tracks[1].sheet.title == ("two",)
    assert (counts.used, counts.albums, counts.tracks) == (1, 1, 3)


def test_the_block_of_a_flac_cuts_it_without_titles(album):
    flac = FLAC(album / "album.flac")
    block = CueSheet(bytes(396))
    lead_out = CueSheetTrack(170, 20 * RATE_HZ)
    block.tracks = [CueSheetTrack(number, at * RATE_HZ) for number, at in ((1, 0), (2, 7), (3, 13))] + [lead_out]
    for track in block.tracks[:-1]:
        track.indexes.append(CueSheetTrackIndex(1, 0))
    flac.metadata_blocks.append(block)
    flac.cuesheet = block
    flac.save()

    tracks, _ = scanned(album)

    assert [(track.part.number, track.part.start_s) for track in tracks] == [(1, 0.0), (2, 7.0), (3, 13.0)]
    assert tracks[0].sheet.title == ()


def test_a_hundred_tracks_and_more_have_paths_of_their_own(album):
    starts = [f"00:{number // 10:02d}:{number % 10 * 7:02d}" for number in range(120)]
    titles = [f"song {number}" for number in range(120)]
    (album / "album.cue").write_text(sheet(*starts, titles=titles), "utf-8")

    tracks, counts = scanned(album)

    assert counts.tracks == len({track.path for track in tracks}) == 120
    assert tracks[-1].path == str(album / "album.flac" / "120")


def test_a_sheet_of_two_files_cuts_each_of_them(album):
    (album / "album.flac").rename(album / "one.flac")
    (album / "two.flac").write_bytes((album / "one.flac").read_bytes())
    (album / "both.cue").write_text(
        sheet("00:00:00", "00:05:00", head='FILE "one.wav" WAVE\n')
        + 'FILE "two.wav" WAVE\n  TRACK 03 AUDIO\n    INDEX 01 00:00:00\n  TRACK 04 AUDIO\n    INDEX 01 00:09:00\n',
        "utf-8",
    )

    assert names(album) == ["one.flac/01", "one.flac/02", "two.flac/03", "two.flac/04"]
