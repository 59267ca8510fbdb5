"""What a vocabulary makes of labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.library.vocabulary.index import VocabularyIndex
from pipeline.library.vocabulary.load import load_vocabulary, parse_vocabulary

OWN = """
whole = ["AC/DC"]
ignore = ["Other", "N/A"]
names = ["McCoy", "Folk, World, & Country"]
[aliases]
"Hip-Hop" = ["Rap", "Hip-Hop/Rap"]
[tree]
"Metal" = ["Death Metal"]
"Death Metal" = ["Melodic Death Metal"]
"""


def index(text: str) -> VocabularyIndex:
    return VocabularyIndex(parse_vocabulary(text, "own"))


@pytest.fixture(scope="module")
def default():
    return VocabularyIndex(load_vocabulary("default"))


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("Rock; Pop", ("Rock", "Pop")),
        ("rock/JAZZ,Pop|soul", ("Rock", "Jazz", "Pop", "Soul")),
        ("Rock\\x00Pop", ("Rock", "Pop")),  # as labels have a NUL
        ("Rock\uff1bPop", ("Rock", "Pop")),
        ("Pop/Rock", ("Pop/Rock",)),
        ("Pop; Rock", ("Pop", "Rock")),
        ("R&B; Pop/Rock; AC/DC", ("R&B", "Pop/Rock", "AC/DC")),
        ("Folk, World, & Country; Jazz", ("Folk", "Jazz")),
        ("Hip-Hop/Rap/Jazz", ("Hip-Hop", "Jazz")),
        ("Hip Hop", ("Hip-Hop",)),
        ("hip-hop", ("Hip-Hop",)),
        ("Rap", ("Hip-Hop",)),
        ("RnB", ("R&B",)),
        ("Rhythm & Blues", ("R&B",)),
        ("Death Metal; Black Metal", ("Metal",)),
        ("drum'n'bass", ("Electronic",)),
        ("Other", ()),
        ("N/A; rock", ("Rock",)),
        ("; ,", ()),
        ("zouglou", ("Zouglou",)),
        ("Gospel", ("Religious",)),
        ("Jazz+Funk", ("Jazz",)),
        ("Old-Time / Historic", ("Old-Time",)),
        ("Brass & Military", ("Marches & Brass",)),
    ],
)
def test_the_default_vocabulary_parts_and_folds(default, value, names):
    assert default.fold([value]) == names


def test_the_default_vocabulary_keeps_each_of_its_names_as_one():
    kept = VocabularyIndex(load_vocabulary("default").replace(level=0))
    vocabulary = load_vocabulary("default")
    children = (child for children in vocabulary.tree.values() for child in children)
    for name in (*vocabulary.names, *vocabulary.aliases, *vocabulary.tree, *children):
        assert kept.fold([name]) == (name,)
    for name, words in vocabulary.aliases.items():
        assert {kept.fold([word]) for word in words} == {(name,)}


@pytest.mark.parametrize(
    ("level", "name"), [(0, "Melodic Death Metal"), (1, "Metal"), (2, "Death Metal"), (3, "Melodic Death Metal")]
)
def test_the_tree_is_cut_at_a_level(level, name):
    assert index(f"level = {level}\n{OWN}").fold(["melodic death-metal"]) == (name,)


@pytest.mark.parametrize(("unknown", "names"), [("fold", ("Zou Glou",)), ("keep", ("zou-glou",)), ("drop", ())])
def test_a_label_without_a_name_is_folded_kept_or_dropped(unknown, names):
    assert index(f'unknown = "{unknown}"\n{OWN}').fold(["zou-glou"]) == names
    assert index(f'unknown = "{unknown}"\n{OWN}').fold(["mccoy"]) == ("McCoy",)


def test_separators_are_those_that_the_file_names():
    assert index('separators = [" - "]').fold(["Rock - Pop; Jazz"]) == ("Rock", "Pop Jazz")
    assert index('separators = ["&"]\nwhole = ["R&B"]').fold(["R&B&Soul"]) == ("R&B", "Soul")
    assert index("separators = []").fold(["Rock; Pop"]) == ("Rock Pop",)


def test_a_track_takes_the_first_name_or_all_and_keeps_what_they_were():
    own = index(OWN)
    values = ("Other", "rap; Metal", "Jazz")
    assert own.fold_track(values, multi=False) == (("Hip-Hop",), ("rap; Metal",))
    assert own.fold_track(values, multi=True) == (("Hip-Hop", "Metal", "Jazz"), values)
    assert own.fold_track(("Jazz",), multi=True) == (("Jazz",), ())
    assert own.fold_track(("Other",), multi=False) == ((), ("Other",))
    thirty = tuple(f"Genre {number}" for number in range(30))
    assert own.fold_track(thirty, multi=True) == (thirty, ())
    assert own.fold_track(("x" * 4000,), multi=False)[0] == ("X" + "x" * 3999,)


WORDS = st.sampled_from(
    [
        "rock",
        "ROCK",
        "Hip-Hop",
        "rap",
        "hip hop/rap",
        "AC/DC",
        "Other",
        "death metal",
        "Zou-Glou",
        "R & B",
        "1/2",
        "",
        "N/A",
    ]
)
VALUES = st.lists(st.one_of(WORDS, st.text(max_size=8)), max_size=5).flatmap(
    lambda parts: st.sampled_from(["; ", "/", ",", "\0"]).map(lambda separator: separator.join(parts))
)


@given(VALUES, st.sampled_from(["fold", "keep"]), st.sampled_from([0, 1, 2]))
def test_folding_what_is_folded_changes_nothing(value, unknown, level):
    own = index(f'unknown = "{unknown}"\nlevel = {level}\n{OWN}')
    names = own.fold([value])
    assert own.fold(names) == names


@given(st.lists(VALUES, max_size=6), st.randoms())
def test_folding_is_the_same_in_every_order(values, random):
    one, other = index(OWN), index(OWN)
    shuffled = random.sample(values, len(values))
    assert {value: one.fold([value]) for value in values} == {value: other.fold([value]) for value in shuffled}
    assert set(one.fold(values)) == set(other.fold(shuffled))
