import io
import struct

import av
import numpy as np
import pytest
import tag_files
from mutagen import apev2, flac, id3, mp4
from tag_files import BY_LIBAV, KINDS, LONG, ODD_GENRES, write

from pipeline.library.labels import first_value, parse_labels
from pipeline.library.library_file import LibraryFile
from pipeline.library.tags.read import BLOCK, find_tags, read_tags
from pipeline.library.tags.tags import READER, Tags

RIGHT = {
    "empty first": ("Rock",),
    "blanks": (),
    "placeholder": (),
    "number": ("Rock",),
    "several": ("Jazz", "Rock"),
    "separators": ("Rock; Pop/Rock, R&B",),
    "4,000 characters": (LONG[:250].rstrip(),),
    "emoji": ("\U0001f3b8 Rock",),
    "right to left": ("\u05e8\u05d5\u05e7",),
    "NUL": ("Drum", "Bass"),
}
RIGHT_BY_LIBAV = {
    **RIGHT,
    "placeholder": ("<unknown>; Unknown",),
    "several": ("Jazz; Rock; Jazz",),
    "NUL": ("Drum",),
}
"""One text, as FFmpeg has no lists: it is for the vocabulary to part them."""
# ID3v1 has numbers for genres and no others: the first genre alone, where it has one.
RIGHT_IN_V1 = {**dict.fromkeys(RIGHT, ()), "empty first": ("Rock",), "number": ("Rock",), "several": ("Jazz",)}

WHOLE = {
    "title": ["So What"],
    "artist": ["Miles", "Trane"],
    "album_artist": ["Miles Davis"],
    "album": ["Kind of Blue"],
    "genre": ["Jazz", "Modal"],
    "year": ["1959"],
    "track": ["3"],
    "bpm": ["136"],
    "key": ["Dm"],
    "comment": ["a comment"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_genres_of_every_kind_of_tag_are_read(tmp_path, kind):
    right = RIGHT_IN_V1 if kind == "ID3v1" else RIGHT_BY_LIBAV if kind in BY_LIBAV else RIGHT
    for name, genres in ODD_GENRES.items():
        tags = find_tags(str(write(tmp_path / "song", kind, {"genre": genres})))
        if kind in {"FLV", "NUT"} and name == "4,000 characters":
            continue  # FFmpeg leaves it out itself
        assert (name, tags.genre) == (name, right[name])
        assert tags.cut == (("genre",) if name == "4,000 characters" and right[name] else ())


@pytest.mark.parametrize(
    "kind", ["ID3v2.3", "ID3v2.4", "APEv2 on an MP3", "ID3 in WAV", "FLAC", "Ogg Opus", "MP4", "ASF"]
)
def test_every_field_has_its_values_in_every_kind_of_tag(tmp_path, kind):
    tags = find_tags(str(write(tmp_path / "song", kind, WHOLE)))
    assert {name: list(getattr(tags, name)) for name in WHOLE} == WHOLE
    assert (tags.cut, tags.reader) == ((), READER)


@pytest.mark.parametrize("kind", ["Matroska", "WebM", "CAF", "QuickTime"])
def test_what_ffmpeg_says_of_a_file_is_read(tmp_path, kind):
    values = {name: WHOLE[name] for name in ("title", "artist", "album", "genre")}
    tags = find_tags(str(write(tmp_path / "song", kind, values)))
    assert (tags.title, tags.artist, tags.album) == (("So What",), ("Miles; Trane",), ("Kind of Blue",))


def test_a_label_is_found_in_every_kind_of_tag(tmp_path):
    source = parse_labels("tag:genre")
    for kind in KINDS:
        file = write(tmp_path / "song", kind, {"genre": ["Jazz"]})
        assert (kind, first_value(source, LibraryFile(str(file)))) == (kind, "Jazz")


def test_several_kinds_of_tag_in_one_file_are_all_tried_and_the_newest_counts(tmp_path):
    path = tmp_path / "song.mp3"

    def put(front, ape, v1):
        path.write_bytes(tag_files.frame_bytes(front) + tag_files.sound("a.mp3"))
        if ape:
            tags = apev2.APEv2()
            tags.update({name.capitalize(): texts for name, texts in ape.items()})
            tags.save(path)
        path.write_bytes(path.read_bytes() + id3.MakeID3v1(dict(tag_files.frames(v1))))
        return find_tags(str(path))

    old = {"genre": ["Blues"], "artist": ["Cut after thirty characters, as"], "title": ["In ID3v1 alone"]}
    tags = put({"genre": ["Jazz"]}, {"genre": ["Rock"], "artist": ["Ann"]}, old)
    assert (tags.genre, tags.artist, tags.title) == (("Jazz",), ("Ann",), ("In ID3v1 alone",))
    # a newer tag that says nothing hides no older one
    assert put({"genre": ["", "<unknown>"]}, {"genre": ["Rock"]}, old).genre == ("Rock",)
    assert put({}, {}, old).genre == ("Blues",)


def test_blocks_at_the_end_of_a_file_are_read_in_any_order(tmp_path):
    old = id3.MakeID3v1(dict(tag_files.frames({"genre": ["Rock"], "artist": ["Ann"]})))
    gain, genre = _ape((b"REPLAYGAIN_TRACK_GAIN", b"-1 dB")), _ape((b"Genre", b"Jazz"))
    lyrics = b"LYRICSBEGININD0000210" + b"000021LYRICS200"
    footed = bytearray(tag_files.frame_bytes({"genre": ["Blues"]}))
    footed[5] |= 0x10
    footed += b"3DI" + footed[3:10]
    cases = [
        (old + gain, ("Rock",), ("Ann",)),
        (genre + lyrics + old, ("Jazz",), ("Ann",)),
        (bytes(footed) + genre + old, ("Blues",), ("Ann",)),
        (genre + bytes(footed), ("Blues",), ()),
        (genre[:-9] + b"\x80" + genre[-8:], ("Jazz",), ()),  # says that it has a header
        (lyrics, (), ()),
        (genre[:-24] + b"\xff" * 16 + bytes(8) + old, ("Rock",), ("Ann",)),  # of a length that no file has
    ]
    for number, (end, genres, artists) in enumerate(cases):
        song = tmp_path / f"{number}.mp3"
        song.write_bytes(tag_files.sound("a.mp3") + end)
        tags = find_tags(str(song))
        assert (number, tags.genre, tags.artist) == (number, genres, artists)


def _ape(*items):
    body = b"".join(struct.pack("<II", len(text), 0) + name + b"\0" + text for name, text in items)
    return body + b"APETAGEX" + struct.pack("<4I", 2000, len(body) + 32, len(items), 0) + bytes(8)


def test_an_odd_item_of_apev2_leaves_the_others_as_they_are(tmp_path):
    song = tmp_path / "song.mp3"
    items = [(b"Genre", b"R\xf6ck"), (b"G", b"x"), (b"GENRE", b"Pop\0Soul"), (b"\xd6dd", b"x"), (b"Artist", b"Ann")]
    song.write_bytes(tag_files.sound("a.mp3") + _ape(*items))
    tags = find_tags(str(song))
    assert (tags.genre, tags.artist) == (("R\xf6ck", "Pop", "Soul"), ("Ann",))


def test_the_second_comment_of_a_flac_is_read_where_the_first_is_empty(tmp_path):
    sound = tag_files.sound("a.flac")
    comments = [tag_files.vorbis_comment(values) for values in ({}, {"genre": ["Rock"]})]
    blocks = b"".join(b"\x04" + len(comment).to_bytes(3, "big") + comment for comment in comments)
    song = tmp_path / "song.flac"
    song.write_bytes(b"fLaC\0" + sound[5:42] + blocks + b"\x81\0\0\4" + bytes(4))
    assert find_tags(str(song)).genre == ("Rock",)


def test_names_that_quicktime_keeps_apart_from_their_values_are_read(tmp_path):
    song = tmp_path / "song.mov"
    with av.open(str(song), "w", format="mov", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update({"com.apple.quicktime.genre": "Rock", "artist": "Ann"})
        stream = container.add_stream("pcm_s16le", rate=48_000, layout="stereo", format="s16")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 9_600), np.int16), "s16", "stereo")
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux(stream.encode(frame))
    tags = find_tags(str(song))
    assert (tags.genre, tags.artist) == (("Rock",), ("Ann",))


def test_sound_without_a_length_is_not_looked_through_for_chunks(tmp_path):
    sound = tag_files.sound("a.wav")
    song = tmp_path / "song.wav"
    with song.open("wb") as file:
        file.write(sound[: sound.index(b"data")] + b"data" + bytes(4))
        file.truncate(1 << 33)  # which takes half an hour to look through by 8 bytes
    assert find_tags(str(song)).genre == ()


def test_frames_of_id3_in_a_wav_count_before_info_which_fills_what_they_leave_open(tmp_path):
    info = tag_files.info_chunk({"genre": ["Old"], "artist": ["Ann"]})
    chunk = tag_files.frame_bytes({"genre": ["New"]})
    frames = b"id3 " + struct.pack("<I", len(chunk)) + chunk
    path = tmp_path / "song.wav"
    for chunks in (info + frames, frames + info, info + frames.replace(b"id3 ", b"ID3 ")):
        path.write_bytes(tag_files.sound("a.wav") + chunks)
        assert (find_tags(str(path)).genre, find_tags(str(path)).artist) == (("New",), ("Ann",))


def test_info_is_read_in_windows_1252_unpadded_and_before_the_sound(tmp_path):
    path = tmp_path / "song.wav"
    whole = tag_files.sound("a.wav")
    info = tag_files.info_chunk({"artist": ["Bj\xf6rk"], "genre": ["Trip-Hop"]}, encoding="cp1252")
    path.write_bytes(whole[:12] + info + whole[12:])
    assert find_tags(str(path)).artist == ("Bj\xf6rk",)
    # an odd length without the byte that fills it up
    body = b"INFOIART" + struct.pack("<I", 3) + b"AnnIGNR" + struct.pack("<I", 4) + b"Jazz"
    path.write_bytes(whole + b"LIST" + struct.pack("<I", len(body)) + body)
    assert (find_tags(str(path)).artist, find_tags(str(path)).genre) == (("Ann",), ("Jazz",))
    # the code of a chunk in small letters, and a text in UTF-16
    body = b"INFOignr" + struct.pack("<I", 10) + "R\xf6ck".encode("utf-16")
    path.write_bytes(whole + b"list" + struct.pack("<I", len(body)) + body)
    assert find_tags(str(path)).genre == ("R\xf6ck",)


def test_a_wav_whose_length_nobody_wrote_has_its_frames_of_before(tmp_path):
    whole = tag_files.sound("a.wav")
    at = whole.index(b"data")
    path = tmp_path / "song.wav"
    path.write_bytes(
        whole[:at] + tag_files.info_chunk({"genre": ["Jazz"]}) + b"data" + b"\xff\xff\xff\xff" + whole[at + 8 :]
    )
    assert find_tags(str(path)).genre == ("Jazz",)


def test_the_texts_of_aiff_are_read(tmp_path):
    path = tmp_path / "song.aiff"
    texts = b"".join(
        name + struct.pack(">I", len(text)) + text + bytes(len(text) % 2)
        for name, text in ((b"NAME", b"So What"), (b"AUTH", b"Miles"), (b"ANNO", b"a note"))
    )
    path.write_bytes(tag_files.sound("a.aiff") + texts)
    tags = find_tags(str(path))
    assert (tags.title, tags.artist, tags.comment) == (("So What",), ("Miles",), ("a note",))


@pytest.mark.parametrize("name", ["GENRE", "genre", "Genre"])
@pytest.mark.parametrize("mean", ["com.apple.iTunes", "org.musicbrainz"])
def test_a_free_name_of_mp4_is_read_in_any_case(tmp_path, name, mean):
    path = tmp_path / "song.m4a"
    tag_files.freeform(name, mean)(path, {"genre": ["", "Jazz", "Rock"]})
    assert find_tags(str(path)).genre == ("Jazz", "Rock")


def test_the_numbered_genre_of_mp4_and_the_first_of_two_places_are_read(tmp_path):
    path = tmp_path / "song.m4a"
    tag_files.KINDS["MP4"][1](path, {"genre": ["XX"]})
    whole = path.read_bytes()
    atom = whole.index(b"\xa9gen") - 4
    # gnre holds the number of ID3v1 and one: the same length as a text of two letters
    path.write_bytes(
        whole[: atom + 4] + b"gnre" + whole[atom + 8 : atom + 16] + bytes(8) + struct.pack(">H", 9) + whole[atom + 26 :]
    )
    assert find_tags(str(path)).genre == ("Jazz",)
    file = mp4.MP4(path)
    file["----:com.apple.iTunes:GENRE"] = [b"Free"]
    file.save()
    assert find_tags(str(path)).genre == ("Jazz",)


@pytest.mark.parametrize("name", ["ALBUMARTIST", "ALBUM ARTIST", "album_artist", "Album-Artist"])
def test_the_artist_of_an_album_is_found_in_all_its_spellings(tmp_path, name):
    file = write(tmp_path / "song", "FLAC", {"genre": ["Jazz"]})
    tags = flac.FLAC(file)
    tags[name] = "Various"
    tags.save()
    assert find_tags(str(file)).album_artist == ("Various",)
    frames = tag_files.frames({"genre": ["Jazz"]})
    frames.add(id3.TXXX(encoding=3, desc=name, text=["Various"]))
    out = io.BytesIO()
    frames.save(out)
    path = tmp_path / "song.mp3"
    path.write_bytes(out.getvalue() + tag_files.sound("a.mp3"))
    assert find_tags(str(path)).album_artist == ("Various",)


def test_comments_that_programs_keep_numbers_in_are_none(tmp_path):
    frames = id3.ID3()
    for description, text in (("iTunNORM", "000002AB"), ("description", "second"), ("", "first")):
        frames.add(id3.COMM(encoding=3, lang="eng", desc=description, text=[text]))
    out = io.BytesIO()
    frames.save(out)
    path = tmp_path / "song.mp3"
    path.write_bytes(out.getvalue() + tag_files.sound("a.mp3"))
    assert find_tags(str(path)).comment == ("first", "second")


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("FLAC", "style"),
        ("Ogg Opus", "STYLE"),
        ("APEv2 on an MP3", "Style"),
        ("ASF", "WM/Style"),
        ("MP4", "----:x:STYLE"),
    ],
)
def test_any_other_field_can_be_asked_for_by_its_name(tmp_path, kind, written):
    import mutagen

    file = write(tmp_path / "song", kind, {"genre": ["Jazz"]})
    tags = apev2.APEv2(file) if "APE" in kind else mutagen.File(file)
    tags[written] = [b"Cool"] if kind == "MP4" else ["Cool"]
    tags.save(file) if "APE" in kind else tags.save()
    assert first_value(parse_labels("tag:style"), LibraryFile(str(file))) == "Cool"
    assert first_value(parse_labels("tag:nothing"), LibraryFile(str(file))) is None
    assert find_tags(str(file), ["Style", "nothing"]).extra == {"style": ("Cool",), "nothing": ()}


def test_a_field_that_is_a_frame_of_id3_can_be_asked_for_by_a_word_or_its_code(tmp_path):
    frames = tag_files.frames({"genre": ["Jazz"]})
    frames.add(id3.TPUB(encoding=3, text=["Blue Note"]))
    frames.add(id3.TXXX(encoding=3, desc="My Field", text=["mine"]))
    out = io.BytesIO()
    frames.save(out)
    path = tmp_path / "song.mp3"
    path.write_bytes(out.getvalue() + tag_files.sound("a.mp3"))
    file = LibraryFile(str(path))
    asked = ("publisher", "label", "TPUB", "my field", "MY_FIELD")
    assert [first_value(parse_labels(f"tag:{name}"), file) for name in asked] == ["Blue Note"] * 3 + ["mine"] * 2


def test_a_block_of_16_mb_is_read_and_one_that_is_longer_than_any_is_told(tmp_path):
    path = tmp_path / "song.mp3"
    frames = tag_files.frames({"genre": ["Jazz"]})
    frames.add(id3.APIC(encoding=3, mime="image/jpeg", type=3, desc="", data=bytes(16 << 20)))
    out = io.BytesIO()
    frames.save(out)
    path.write_bytes(out.getvalue() + tag_files.sound("a.mp3"))
    assert (find_tags(str(path)).genre, find_tags(str(path)).cut) == (("Jazz",), ())
    size = bytes((100 << 20) >> shift & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x04\x00\x00" + size + out.getvalue()[10:])
    assert (find_tags(str(path)).genre, find_tags(str(path)).cut) == ((), (BLOCK,))


def test_thirty_genres_are_all_kept_and_of_hundreds_some(tmp_path):
    genres = [f"Genre {number}" for number in range(300)]
    assert find_tags(str(write(tmp_path / "song", "FLAC", {"genre": genres[:30]}))).genre == tuple(genres[:30])
    tags = find_tags(str(write(tmp_path / "song", "FLAC", {"genre": genres})))
    assert (tags.genre, tags.cut) == (tuple(genres[:100]), ("genre",))


def test_a_text_in_a_wrong_encoding_is_left_as_it_is(tmp_path):
    frames = id3.ID3()
    frames.add(id3.TCON(encoding=0, text=["\u0420\u043e\u043a".encode("cp1251").decode("latin-1")]))
    out = io.BytesIO()
    frames.save(out)
    path = tmp_path / "song.mp3"
    path.write_bytes(out.getvalue() + tag_files.sound("a.mp3"))
    assert find_tags(str(path)).genre == ("\xd0\xee\xea",)
    assert Tags.from_wire(find_tags(str(path)).to_wire()) == find_tags(str(path))


def test_no_damage_to_a_file_is_an_error(tmp_path):
    path = tmp_path / "song"
    for kind in KINDS:
        whole = bytearray(write(path, kind, {"genre": ["Jazz"], "title": ["So What"]}).read_bytes())
        for cut in (0, 1, 9, 40, 127, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:cut])
            assert find_tags(str(path)) is not None
        for at in range(0, min(len(whole), 4_000), 97):
            flipped = whole.copy()
            flipped[at] ^= 0xFF
            path.write_bytes(flipped)
            assert find_tags(str(path)) is not None


def test_a_seek_that_a_damaged_file_asks_for_prints_nothing(tmp_path, capfd):
    song = write(tmp_path / "song", "CAF", {"genre": ["Rock"]})
    content = bytearray(song.read_bytes())
    length = content.index(b"chan") + 4
    content[length : length + 8] = b"\0\x80" + bytes(6)
    song.write_bytes(content)
    assert find_tags(str(song)) is not None
    assert capfd.readouterr() == ("", "")


def test_a_file_that_cannot_be_read_is_told_apart_from_one_without_tags(tmp_path):
    assert find_tags(str(tmp_path / "none.mp3")) is None
    assert read_tags(str(tmp_path / "none.mp3")) == Tags()
    path = tmp_path / "plain.wav"
    path.write_bytes(tag_files.sound("a.wav"))
    assert find_tags(str(path)) == Tags(reader=READER)
