import pytest

from pipeline.library.tags.names import TagBlock
from pipeline.library.tags.placeholders import PLACEHOLDERS
from pipeline.library.tags.tags import FIELDS, READER, Tags
from pipeline.library.tags.values import field_values


def values(field, *texts):
    return list(field_values([TagBlock(words={field.replace("_", ""): texts})], field)[0])


@pytest.mark.parametrize(
    ("text", "genres"),
    [
        ("17", ["Rock"]),
        ("(17)", ["Rock"]),
        ("(17)(18)Euro", ["Rock", "Techno", "Euro"]),
        ("(17)Rock", ["Rock"]),
        ("(4)Eurodisco", ["Disco", "Eurodisco"]),
        ("(RX)(CR)", ["Remix", "Cover"]),
        ("RX", ["Remix"]),
        ("((Foo)", ["(Foo)"]),
        ("(255)", []),
        ("255", []),
        ("(999)", []),
        ("1980", ["1980"]),
        ("80s", ["80s"]),
        ("\xbd", ["\xbd"]),
        ("\u0663", ["\u0663"]),
        ("(Foo) Bar", ["(Foo) Bar"]),
        ("R&B", ["R&B"]),
        ("Pop/Rock", ["Pop/Rock"]),
        ("a\0\0b", ["a", "b"]),
        ("\ufeff Rock\u200b ", ["Rock"]),
        ("Other", ["Other"]),
    ],
)
def test_genres_have_names_and_not_numbers(text, genres):
    assert values("genre", text) == genres


def test_placeholders_are_dropped_before_the_first_value_is_taken():
    for field in FIELDS:
        for word in PLACEHOLDERS[""]:
            assert values(field, word, word.upper(), "Rock") == ["Rock"]
    assert values("artist", "Unknown Artist", "Ann") == ["Ann"]
    assert values("album_artist", "Unbekannter Interpret") == []
    assert values("genre", "None", "Unknown Genre") == []
    assert values("artist", "None") == ["None"]  # a band may be called so
    assert values("bpm", "0") == []
    for word in ("<Unknown Artist>", "[unknown]", "Неизвестный исполнитель", "알 수 없는 아티스트", "{Unknown}"):
        assert values("artist", word, "!!!") == ["!!!"]
    for word in ("---", "...", "\u2013", "No Genre Specified", "Okänd", "NaN", "(none)"):
        assert values("genre", word, "\U0001f3b8") == ["\U0001f3b8"]


def test_lines_are_values_and_what_nobody_sees_is_taken_out():
    assert values("genre", "Rock\r\nPop\n") == ["Rock", "Pop"]
    assert values("genre", "; Rock", "Pop/", ";;", "AC/DC", "Rock; Pop") == ["Rock", "Pop", "AC/DC", "Rock; Pop"]
    assert values("artist", "Ann\u2028Bob") == ["Ann", "Bob"]
    assert values("comment", "one\ntwo") == ["one\ntwo"]
    assert values("genre", "\u202eRock", "\x1b[1mPop", "Ro\x07ck") == ["Rock", "[1mPop"]


def test_the_number_of_a_track_is_without_that_of_all():
    assert [values("track", text) for text in ("3/12", "03", "A1", "0/0", "/")] == [["3"], ["3"], ["A1"], [], ["/"]]


def test_one_name_in_two_unicode_forms_is_one_value():
    assert values("artist", "Bjo\u0308rk", "Bj\u00f6rk") == ["Bj\u00f6rk"]


def test_of_several_blocks_and_names_the_first_that_says_something_counts():
    first = TagBlock(codes={"tcon": [" "]}, words={"genre": ["Jazz", "Rock"]})
    second = TagBlock(words={"genre": ["Blues"]})
    assert field_values([first, second], "genre") == (("Jazz", "Rock"), False)
    assert field_values([second, first], "genre") == (("Blues",), False)


def test_tags_answer_for_what_was_looked_for_by_the_present_reader():
    tags = Tags(genre=("Jazz",), extra={"style": ()}, reader=READER)
    assert tags.answers(["genre", "Album Artist", "date", "STYLE"])
    assert not tags.answers(["grouping"])
    assert not tags.replace(reader=READER - 1).answers(["genre"])
    assert (tags.values("GENRE"), tags.values("style"), tags.values("date")) == (("Jazz",), (), ())
