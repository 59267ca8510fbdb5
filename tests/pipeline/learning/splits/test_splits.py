"""How tracks are parted: nothing that belongs together straddles, every class is learned and tested."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from split_cases import assert_disjoint, assert_nothing_straddles, drawn_settings, sides, split_or_skip, track_rows_of

from pipeline.errors import UsageError
from pipeline.learning.splits import make_split
from pipeline.plans.split import SplitPlan

pytestmark = pytest.mark.slow

GROUPED = SplitPlan(strategy="grouped")
FOLDS = SplitPlan(strategy="folds")

track_rows = track_rows_of(groups=12)


@drawn_settings
@given(rows=track_rows, seed=st.integers(0, 9))
def test_no_group_or_content_ever_straddles_a_grouped_split(manifest_of, rows, seed):
    manifest = manifest_of(rows)
    split = split_or_skip(manifest, GROUPED, seed)

    (partition,) = split.partitions
    assert_disjoint(partition)
    assert_nothing_straddles(manifest, partition)
    assert sorted((*partition.train, *partition.validation, *partition.test)) == list(range(len(rows)))
    for side in (partition.train, partition.test):
        assert {manifest.tracks[position].label for position in side} == set(manifest.classes)
    assert make_split(manifest, GROUPED, seed=seed) == split


@drawn_settings
@given(rows=track_rows)
def test_no_group_or_content_ever_straddles_a_fold(manifest_of, rows):
    manifest = manifest_of(rows)
    split = split_or_skip(manifest, FOLDS, 0)

    tested = [position for partition in split.partitions for position in partition.test]
    assert sorted(tested) == list(range(len(rows)))
    for partition in split.partitions:
        assert_disjoint(partition)
        assert_nothing_straddles(manifest, partition)


def test_each_fold_is_tested_once_and_the_next_in_natural_order_validates(manifest_of):
    folds = ["10", "9", "1", "2"]
    manifest = manifest_of([(label, None, fold, None) for fold in folds for label in "ab"])

    split = make_split(manifest, SplitPlan(), seed=0)

    def fold_of(positions):
        return sorted({manifest.tracks[position].fold for position in positions})

    assert split.strategy == "folds"
    assert [(p.name, fold_of(p.test), fold_of(p.validation)) for p in split.partitions] == [
        ("1", ["1"], ["2"]),
        ("2", ["2"], ["9"]),
        ("9", ["9"], ["10"]),
        ("10", ["10"], ["1"]),
    ]
    assert fold_of(split.partitions[0].train) == ["10", "9"]
    assert split.notes == ()


def test_a_group_that_reaches_over_folds_is_kept_out_of_training_against_its_test(manifest_of):
    rows = [(label, None, fold, None) for fold in "1234" for label in "aabb"]
    rows[0] = ("a", "tour", "1", None)
    rows[8] = ("a", "tour", "3", None)
    manifest = manifest_of(rows)

    split = make_split(manifest, FOLDS, seed=0)

    first = split.partitions[0]
    assert 0 in first.test
    assert 8 not in (*first.train, *first.validation)
    assert 8 in split.partitions[3].train or 0 in split.partitions[3].validation
    assert any("1 groups (or copies) reach over folds" in note for note in split.notes)


def test_a_grouped_split_keeps_the_shares_of_the_plan_in_every_class(manifest_of):
    manifest = manifest_of([("ab"[number % 4 == 0], None, None, None) for number in range(400)])

    (partition,) = make_split(manifest, SplitPlan(test=0.25, validation=0.2), seed=1).partitions

    counts = {
        side: Counter(manifest.tracks[position].label for position in positions)
        for side, positions in sides(partition).items()
    }
    assert counts == {
        "train": {"a": 180, "b": 60},
        "test": {"a": 75, "b": 25},
        "validation": {"a": 45, "b": 15},
    }


def test_another_seed_gives_another_split(manifest_of):
    manifest = manifest_of([("ab"[number % 2], None, None, None) for number in range(40)])

    assert make_split(manifest, GROUPED, seed=1) == make_split(manifest, GROUPED, seed=1)
    assert make_split(manifest, GROUPED, seed=1).partitions != make_split(manifest, GROUPED, seed=2).partitions


def test_groups_linked_by_a_copy_are_one_and_a_note_tells_of_the_copies(manifest_of):
    rows = [("ab"[number % 2], f"g{number}", None, None) for number in range(12)]
    rows[0] = ("a", "g0", None, "the same song")
    rows[2] = ("a", "g2", None, "the same song")
    manifest = manifest_of(rows)

    split = make_split(manifest, GROUPED, seed=0)

    assert split.groups == 11
    assert split.notes == ("2 tracks are copies of 1 contents; copies were kept together",)


def test_the_tracks_of_an_album_in_one_file_are_one_unit_whatever_their_groups(manifest_of):
    manifest = manifest_of([("ab"[number % 2], f"g{number}", None, None) for number in range(40)])
    in_album = {0, 1, 2, 3, 20, 39}
    tracks = [
        track.replace(album="/music/album.flac") if at in in_album else track
        for at, track in enumerate(manifest.tracks)
    ]

    for seed in range(10):
        (partition,) = make_split(manifest.replace(tracks=tuple(tracks)), GROUPED, seed=seed).partitions
        assert sum(bool(in_album & set(side)) for side in sides(partition).values()) == 1


def test_a_content_with_two_labels_is_reported(manifest_of):
    rows = [("ab"[number % 2], None, None, None) for number in range(12)]
    rows[0] = ("a", None, None, "torn")
    rows[1] = ("b", None, None, "torn")

    notes = make_split(manifest_of(rows), GROUPED, seed=0).notes

    assert any("1 contents carry more than one label, e.g. /library/0.wav" in note for note in notes)


def test_a_class_whose_tracks_are_one_group_is_refused_naming_it(manifest_of):
    rows = [("a", None, None, None)] * 6 + [("b", "one album", None, None)] * 5

    with pytest.raises(UsageError, match=r"class b: its 5 tracks are one group .*--groups"):
        make_split(manifest_of(rows), GROUPED, seed=0)


def test_a_class_with_two_groups_is_learned_and_tested_but_not_validated(manifest_of):
    rows = [("a", None, None, None)] * 10 + [("b", "g1", None, None), ("b", "g2", None, None)]
    manifest = manifest_of(rows)

    split = make_split(manifest, GROUPED, seed=0)

    (partition,) = split.partitions
    assert {manifest.tracks[position].label for position in partition.validation} == {"a"}
    assert any(note.endswith("not in the validation: b") for note in split.notes)


def test_too_few_groups_for_three_sides_are_refused(manifest_of):
    rows = [("a", "g1", None, None), ("b", "g1", None, None), ("a", "g2", None, None), ("b", "g2", None, None)]

    with pytest.raises(UsageError, match="no group is left to validate with"):
        make_split(manifest_of(rows), GROUPED, seed=0)


def test_two_folds_are_refused(manifest_of):
    rows = [(label, None, fold, None) for fold in "12" for label in "ab"]

    with pytest.raises(UsageError, match=r"2 folds \(1, 2\) are too few"):
        make_split(manifest_of(rows), SplitPlan(), seed=0)


def test_tracks_without_a_fold_among_folds_are_refused_naming_one(manifest_of):
    rows = [(label, None, fold, None) for fold in "123" for label in "ab"]
    rows[3] = ("b", None, None, None)

    with pytest.raises(UsageError, match=r"1 of 6 tracks have no fold, e\.g\. /library/3\.wav"):
        make_split(manifest_of(rows), SplitPlan(), seed=0)


def test_a_class_that_lies_in_one_fold_is_refused_naming_class_and_fold(manifest_of):
    rows = [("a", None, fold, None) for fold in "1234"] + [("b", None, "2", None)] * 2

    with pytest.raises(UsageError, match=r"class b has no track left to learn from when fold 1 is tested"):
        make_split(manifest_of(rows), SplitPlan(), seed=0)
