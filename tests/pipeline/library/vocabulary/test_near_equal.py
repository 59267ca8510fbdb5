"""Labels that are nearly the same, those that look like several, and the vocabulary that is proposed for them."""

import string

import pytest

from pipeline.library.labels import parse_sources
from pipeline.library.library_file import LibraryFile
from pipeline.library.scan import track_of
from pipeline.library.tags.tags import Tags
from pipeline.library.tracks import FileStamp, ScannedTrack
from pipeline.library.vocabulary.index import VocabularyIndex
from pipeline.library.vocabulary.listing import list_labels
from pipeline.library.vocabulary.load import parse_vocabulary
from pipeline.library.vocabulary.near_equal import near_equal, several
from pipeline.library.vocabulary.proposal import propose
from pipeline.library.vocabulary.tally import LabelTally
from pipeline.plans.scan_rules import ScanRules


@pytest.mark.parametrize(
    ("labels", "differ_by"),
    [
        (("Rock", "ROCK", "rock"), "case"),
        (("Stra\u00dfe", "STRASSE"), "case"),
        (("Hip-Hop", "Hip Hop", "HipHop"), "blanks or hyphens"),
        (("Hip-Hop", "hip hop"), "case and blanks or hyphens"),
        (("drum_loop", "drum loop"), "blanks or hyphens"),
        (("Rock", "Rock!"), "punctuation"),
        (("80's", "80s"), "punctuation"),
        (("Rock", "\uff32\uff4f\uff43\uff4b"), "the form of their characters"),
        (("M\u00fasica", "Musica"), "accents"),
        (("Rock", "R\u043e\u0441k"), "letters that look alike"),
        (("Drum & Bass", "Drum and Bass", "Drum 'n' Bass"), "'&' and 'and'"),
        (("Ballad", "Ballads"), "plural"),
        (("Waltz", "Waltzes"), "plural"),
        (("Techno", "Tecno"), "one letter"),
        (("Trance", "Trnace"), "one letter"),
        (("Electronic", "Electronik"), "one letter"),
        (("Heavy Metal", "Haevy Metal"), None),
        (("Melodic Trance", "Melodic Trnace"), "one letter"),
    ],
)
def test_labels_that_differ_by_little_are_found_with_what_they_differ_by(labels, differ_by):
    counts = {label: 9 - at for at, label in enumerate(labels)}
    found = near_equal(counts)
    if differ_by is None:  # five letters: Haevy may be a name
        assert found == ()
    else:
        [near] = found
        assert (near.labels, near.differ_by) == (counts, differ_by)


@pytest.mark.parametrize(
    "labels",
    [
        ("Rock", "Sock", "Rack"), ("class a", "class b"), ("1980s", "1990s"), ("1.5", "15"), ("C", "C#"),
        ("House", "Mouse"), ("R&B", "RB"), ("Afrobeat", "Afrobeats"), ("singing", "ringing"), ("take10", "take11"),
        ("Trance", "Dance"),
    ],
)  # fmt: skip
def test_labels_that_may_well_be_two_are_left_in_peace(labels):
    assert near_equal(dict.fromkeys(labels, 3)) == ()


def test_of_very_many_labels_that_are_alike_some_are_told():
    letters = string.ascii_lowercase
    labels = {f"x{a}{b}{c}sssss": 1 for a in letters for b in letters for c in letters}
    assert len(near_equal(labels)) == 1000


def test_labels_that_look_like_several_are_found():
    counts = {
        "Rock; Pop": 3,
        "Rock/Jazz": 2,
        "Rock\\x00Pop": 1,
        "Pop/Rock": 5,
        "R&B": 4,
        "1,5": 2,
        "AC/DC": 1,
        "a; ": 1,
    }
    assert several(counts) == {"Rock; Pop": 3, "Rock/Jazz": 2, "Rock\\x00Pop": 1}


COUNTS = {
    "Rock": 900, "rock": 40, "ROCK; Jazz": 3, "Hip-Hop": 5, "hip hop": 7, "Techno": 9, "Tecno": 1, "McCoy": 2,
    "none": 1, "M\u00fasica": 2, "Musica": 1, "x" * 4000: 1, 'say "so"\\': 1, "Death Metal": 3,
    "Zouglou": 1, "zouglou": 1,
}  # fmt: skip


@pytest.mark.parametrize("extend", [False, True])
def test_a_proposed_vocabulary_makes_one_of_what_is_nearly_the_same(extend):
    index = VocabularyIndex(parse_vocabulary(propose(COUNTS, extend=extend), "proposed"))
    level = {"Techno": "Electronic", "Death Metal": "Metal"} if extend else {}
    assert index.fold(["rock"]) == index.fold(["Rock"]) == ("Rock",)
    assert index.fold(["ROCK; Jazz"]) == ("Rock", "Jazz")
    assert index.fold(["Hip-Hop"]) == index.fold(["hip hop"]) == (("Hip-Hop",) if extend else ("hip hop",))
    assert index.fold(["Tecno"]) == index.fold(["Techno"]) == (level.get("Techno", "Techno"),)
    assert index.fold(["Musica"]) == ("M\u00fasica",)
    assert index.fold(["Death Metal"]) == (level.get("Death Metal", "Death Metal"),)
    assert len({index.fold([label]) for label in ("Zouglou", "zouglou")}) == 1


def test_a_proposal_of_its_own_keeps_all_other_labels_as_they_are():
    index = VocabularyIndex(parse_vocabulary(propose(COUNTS, extend=False), "proposed"))
    for label in ("McCoy", "none", "x" * 4000, 'say "so"\\', "Zouglou"):
        assert index.fold([label]) == (label,)


def test_what_the_default_vocabulary_does_not_know_is_listed_in_comments():
    text = propose(COUNTS, extend=True)
    assert '#   "McCoy"  # 2 files' in text
    assert "Death Metal" not in text
    assert '"none"' not in text


def track(*values: str, vocabulary=None, multi=False, number=0) -> ScannedTrack:
    """Return the track that a scan makes of a file with some genres."""
    sources = parse_sources(labels="tag:genre", vocabulary=vocabulary)
    file = LibraryFile(f"/music/{number}.mp3", Tags(genre=values))
    labels, found = sources.labels_of(file, multi=multi)
    made = track_of(file.path, FileStamp(size_bytes=1, mtime_ns=1), parse_sources(labels="folder"), ScanRules())
    return made.replace(label=next(iter(labels), None), labels=labels if multi else (), labels_found=found)


def test_a_track_has_its_first_label_or_all_of_them_without_a_vocabulary_as_they_are():
    assert track("Rock", "Pop").label == "Rock"
    assert track("Rock", "Pop", multi=True).labels == ("Rock", "Pop")
    assert track("Rock; Pop", multi=True).labels == ("Rock; Pop",)
    assert track("Rock\0Pop", multi=True).labels == ("Rock", "Pop")
    assert track().label is None


def test_what_was_folded_and_dropped_is_counted():
    vocabulary = parse_vocabulary('ignore = ["Other"]\n[aliases]\nRock = ["Rawk"]', "own")
    tally = LabelTally(vocabulary)
    for values in (("Rock",), ("ROCK",), ("rawk",), ("Rawk",), ("Jazz; rock",), ("Other",), ()):
        tally.add(track(*values, vocabulary=vocabulary))
    folded = tally.findings().folded
    assert (folded.labels, folded.files, folded.into) == (4, 4, 2)
    assert (folded.dropped, folded.unlabelled) == (1, 1)
    assert tally.sources("Rock") == {"ROCK": 1, "rawk": 1, "Rawk": 1}
    assert tally.findings().lines == (
        "folded 4 labels of 4 files into 2; dropped 1 label, and 1 file has none for that",
    )


def test_a_listing_has_labels_by_files_with_singletons_and_what_is_unknown():
    vocabulary = parse_vocabulary('names = ["Rock", "Jazz"]', "own")
    values = [("Rock",), ("rock", "Jazz"), ("Zouglou",), ()]
    listing = list_labels((track(*each, vocabulary=vocabulary, multi=True) for each in values), vocabulary)
    assert (listing.files, listing.unlabelled) == (4, 1)
    assert listing.counts == {"Rock": 2, "Jazz": 1, "Zouglou": 1}
    assert listing.labels[0].share == 0.5
    assert listing.labels[0].found_as == {"rock": 1}
    assert (listing.singletons, listing.unknown) == (("Jazz", "Zouglou"), ("Zouglou",))
