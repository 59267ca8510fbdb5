"""Which labels count as one name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.library.vocabulary.keys import label_key, spelling


@pytest.mark.parametrize(
    "spellings",
    [
        ("Hip-Hop", "hip hop", "HipHop", "HIP_HOP", "hip\u2010hop", "Hip\u00a0Hop", "hip/hop", " hip  hop "),
        ("Rock", "ROCK", "rock", "\uff32\uff2f\uff23\uff2b", "Rock.", "Ro\u00adck"),
        ("80's", "80s", "'80s", "80\u2019s"),
        ("Stra\u00dfe", "STRASSE"),
        ("Mu\u0301sica", "M\u00fasica"),
        ("R&B", "r & b"),
        ("1/2", "1 / 2"),
    ],
)
def test_spellings_of_one_name_have_one_key(spellings):
    assert len(set(map(label_key, spellings))) == 1


@pytest.mark.parametrize(
    "names",
    [
        ("R&B", "RB", "RnB"), ("C", "C#", "C++"), ("1.5", "15", "1/5", "1 5"), ("-1", "1"),
        ("\u0939\u093f", "\u0939"), ("???", "!!!", "\u2665"), ("M\u00fasica", "Musica"),
    ],
)  # fmt: skip
def test_different_names_have_different_keys(names):
    assert len(set(map(label_key, names))) == len(names)


@pytest.mark.parametrize(
    ("label", "written"),
    [("swamp-pop", "Swamp Pop"), ("TripHop", "Trip Hop"), ("r & b", "R&B"), ("c#", "C#"), ("80's", "80s"), ("?", "?")],
)
def test_a_label_without_a_name_has_one_spelling(label, written):
    assert spelling(label) == written


@given(st.text(max_size=12))
def test_keys_and_spellings_stay_what_they_are(label):
    assert label_key(label_key(label)) == label_key(label)
    assert spelling(spelling(label)) == spelling(label)
    assert label_key(spelling(label)) == label_key(label)
