"""Numbers and names as readers see them."""

from pipeline.report import words


def test_nouns_agree_with_their_numbers():
    assert words.quantity(1, "file") == "1 file"
    assert words.quantity(1_200, "class", "classes") == "1,200 classes"


def test_names_are_listed_as_in_a_sentence():
    assert words.enumeration(["a"]) == "a"
    assert words.enumeration(["a", "b", "c"]) == "a, b and c"
    assert not words.enumeration([])


def test_long_names_are_cut_in_the_middle_to_their_limit():
    assert words.shorten("abcdefghij", 10) == "abcdefghij"
    assert words.shorten("abcdefghijk", 10) == "abcd…ghijk"


def test_times_are_written_to_the_minute_in_utc():
    assert words.utc_time("2025-03-01T11:17:42+01:00") == "2025-03-01 10:17 UTC"
    assert words.utc_time("2025-03-01T10:17:00Z") == "2025-03-01 10:17 UTC"
    assert words.utc_time("yesterday") == "yesterday"


def test_paths_are_written_relative_to_the_only_library():
    assert words.relative_path("/music/a/b.wav", ("/music",)) == "a/b.wav"
    assert words.relative_path("/music/a/b.wav", ("/music", "/other")) == "/music/a/b.wav"
    assert words.relative_path("/musical/b.wav", ("/music/",)) == "/musical/b.wav"


def test_values_lose_the_noise_of_floats():
    assert words.pairs({"rate": 0.1 + 0.2, "deep": True, "layers": 3}) == "rate 0.3, deep yes, layers 3"
    assert words.pairs({}) == "\u2013"
