"""Cross-validation, named folds and the parting of rows: what each keeps together, tests and refuses."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from split_cases import assert_disjoint, assert_nothing_straddles, drawn_settings, sides, split_or_skip, track_rows_of

from pipeline.errors import UsageError
from pipeline.learning.dataset.manifests import Split
from pipeline.learning.splits import make_split
from pipeline.learning.splits.roles import roles_by_name
from pipeline.learning.splits.rows import NOTE, owners, row_sides, row_view
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.split import SplitPlan

pytestmark = pytest.mark.slow

VALIDATES = (
    "fold {} validates, as nothing else is known of what belongs together (split.validation_folds names another)"
)

track_rows = track_rows_of(groups=14)


def assert_learned(manifest, split):
    """Every class is learned in every partition, and every side has a track."""
    for partition in split.partitions:
        assert {manifest.tracks[position].label for position in partition.train} == set(manifest.classes)
        assert partition.validation
        assert partition.test


@drawn_settings
@given(rows=track_rows, k=st.integers(2, 5), seed=st.integers(0, 9))
def test_k_folds_test_every_track_once_in_whole_groups_and_learn_every_class(manifest_of, rows, k, seed):
    manifest = manifest_of(rows)
    plan = SplitPlan(strategy="kfold", k=k)
    split = split_or_skip(manifest, plan, seed)

    assert sorted(position for partition in split.partitions for position in partition.test) == list(range(len(rows)))
    assert len(split.partitions) == len(split.rounds) == k
    for partition in split.partitions:
        assert_disjoint(partition)
        assert_nothing_straddles(manifest, partition)
        assert sorted((*partition.train, *partition.validation, *partition.test)) == list(range(len(rows)))
    assert_learned(manifest, split)
    assert make_split(manifest, plan, seed=seed) == split


@drawn_settings
@given(rows=track_rows, k=st.integers(2, 4), inner=st.integers(2, 3), seed=st.integers(0, 9))
def test_nested_folds_validate_every_track_that_is_not_tested_once(manifest_of, rows, k, inner, seed):
    manifest = manifest_of(rows)
    split = split_or_skip(manifest, SplitPlan(strategy="nested", k=k, inner=inner), seed)

    assert len(split.partitions) == k * inner
    assert [each.name for each in split.rounds] == [str(number + 1) for number in range(k)]
    assert sorted(position for each in split.rounds for position in each.test) == list(range(len(rows)))
    for each in split.rounds:
        others = sorted(set(range(len(rows))) - set(each.test))
        assert sorted(position for part in each.partitions for position in part.validation) == others
        assert list(each.learned) == others
    for partition in split.partitions:
        assert_disjoint(partition)
        assert_nothing_straddles(manifest, partition)
    assert_learned(manifest, split)


def test_k_folds_keep_the_classes_in_proportion(manifest_of):
    manifest = manifest_of([("ab"[number % 4 == 0], None, None, None) for number in range(200)])

    split = make_split(manifest, SplitPlan(strategy="kfold", k=5, validation=0.25), seed=1)

    for partition in split.partitions:
        by_side = {
            side: dict(Counter(manifest.tracks[position].label for position in positions))
            for side, positions in sides(partition).items()
        }
        assert by_side == {
            "train": {"a": 90, "b": 30},
            "validation": {"a": 30, "b": 10},
            "test": {"a": 30, "b": 10},
        }


def test_nested_cross_validation_says_what_it_costs(manifest_of):
    manifest = manifest_of([("ab"[number % 2], None, None, None) for number in range(40)])

    notes = make_split(manifest, SplitPlan(strategy="nested", k=4, inner=3), seed=0).notes

    assert any("each trial is fitted 4 x 3 = 12 times, and what is chosen 4 times more" in note for note in notes)


def test_a_class_with_two_tracks_is_refused_for_five_folds_saying_that_two_are_possible(manifest_of):
    rows = [("a", None, None, None)] * 10 + [("b", None, None, None)] * 2
    manifest = manifest_of(rows)

    with pytest.raises(UsageError, match=r"class b: its 2 groups .* too few for 5 folds; split\.k = 2 is possible"):
        make_split(manifest, SplitPlan(strategy="kfold", k=5), seed=0)
    split = make_split(manifest, SplitPlan(strategy="kfold", k=2), seed=0)

    assert_learned(manifest, split)
    assert any("not in the validation: b (2 of 2 partitions)" in note for note in split.notes)


def test_nested_folds_that_leave_a_class_nothing_are_refused_naming_what_needs_fewer(manifest_of):
    rows = [("a", None, None, None)] * 10 + [("b", None, None, None)] * 2

    with pytest.raises(UsageError, match=r'class b has no group left to learn from .*"kfold", which needs fewer'):
        make_split(manifest_of(rows), SplitPlan(strategy="nested", k=2, inner=2), seed=0)


@pytest.mark.parametrize("strategy", ["grouped", "kfold", "nested"])
def test_a_class_with_a_single_track_is_refused_naming_class_track_and_what_is_possible(manifest_of, strategy):
    rows = [("a", None, None, None)] * 10 + [("lonely", None, None, None)]

    with pytest.raises(UsageError, match=r'class lonely has one track only \(/library/10\.wav\).*strategy = "rows"'):
        make_split(manifest_of(rows), SplitPlan(strategy=strategy), seed=0)


def ten_folds(manifest_of, **odd):
    rows = [(label, None, str(fold), None) for fold in range(1, 11) for label in "aabb"]
    for number, row in odd.items():
        rows[int(number[1:])] = row
    return manifest_of(rows)


def folds_of(manifest, positions):
    return {manifest.tracks[position].fold for position in positions}


@pytest.mark.parametrize(
    "named", [{"test_folds": (9, 10)}, {"train_folds": (1, 2, 3, 4, 5, 6, 7, 8)}, {"test_folds": ("9", "10")}]
)
def test_some_folds_train_and_the_others_test(manifest_of, named):
    manifest = ten_folds(manifest_of)

    split = make_split(manifest, SplitPlan(validation=0.25, **named), seed=0)

    (partition,) = split.partitions
    assert split.strategy == "folds"
    assert partition.name == "9+10"
    assert folds_of(manifest, partition.test) == {"9", "10"}
    # nothing else is known of what belongs together, so a whole fold validates
    assert folds_of(manifest, partition.train) == {str(fold) for fold in range(1, 8)}
    assert folds_of(manifest, partition.validation) == {"8"}
    assert (len(partition.train), len(partition.validation), len(partition.test)) == (28, 4, 8)
    assert split.notes == (VALIDATES.format(8),)


def test_where_groups_are_known_validation_is_of_whole_groups_of_the_folds_that_train(manifest_of):
    manifest = manifest_of(
        [("ab"[number % 2], f"song {number // 2}", str(1 + number // 8), None) for number in range(80)]
    )

    (partition,) = make_split(manifest, SplitPlan(test_folds=(9, 10), validation=0.25), seed=0).partitions

    assert folds_of(manifest, (*partition.train, *partition.validation)) == {str(fold) for fold in range(1, 9)}
    groups = [{manifest.tracks[at].group for at in side} for side in (partition.train, partition.validation)]
    assert not groups[0] & groups[1]


def test_folds_that_are_called_by_their_roles_have_them(manifest_of):
    names = ["training"] * 18 + ["validation"] * 3 + ["test"] * 3
    manifest = manifest_of([("abc"[number % 3], None, name, None) for number, name in enumerate(names)])

    split = make_split(manifest, SplitPlan(), seed=0)

    (partition,) = split.partitions
    assert (len(partition.train), len(partition.validation), len(partition.test)) == (18, 3, 3)
    assert split.notes[0] == ("folds are used as their names say: training trains, validation validates, test tests")


def test_roles_are_known_by_all_names_or_none():
    assert roles_by_name(["Train", "test"]) == (["Train"], ["test"], [])
    assert roles_by_name(["train", "dev"]) == (["train"], ["dev"], [])
    assert roles_by_name(["train", "valid", "eval"]) == (["train"], ["eval"], ["valid"])
    assert roles_by_name(["train", "test", "3"]) is None
    assert roles_by_name(["test", "validation"]) is None


def test_few_groups_are_cross_validated_each_tested_and_validating_once(manifest_of):
    # six speakers who say three words
    manifest = manifest_of([("abc"[number % 3], f"speaker {number // 15}", None, None) for number in range(90)])

    split = make_split(manifest, SplitPlan(), seed=0)

    assert (split.strategy, len(split.partitions)) == ("kfold", 6)
    for side in ("test", "validation"):
        groups = [{manifest.tracks[at].group for at in getattr(part, side)} for part in split.partitions]
        assert sorted(name for names in groups for name in names) == [f"speaker {number}" for number in range(6)]
    assert split.notes[0].startswith("6 groups are few, so each is tested once, in 6 folds of whole groups")


def test_a_dozen_groups_are_divided_once(manifest_of):
    manifest = manifest_of([("ab"[number % 2], f"artist {number // 4}", None, None) for number in range(96)])

    assert make_split(manifest, SplitPlan(), seed=0).strategy == "grouped"


def test_many_classes_of_which_some_have_two_tracks_are_divided_once(manifest_of):
    rows = [(f"class {number:03}", None, None, None) for number in range(450) for _ in range(5)]
    rows += [(f"class {number:03}", None, None, None) for number in range(450, 500) for _ in range(2)]

    split = make_split(manifest_of(rows), SplitPlan(), seed=0)

    assert split.strategy == "grouped"
    assert len(split.partitions[0].test) > 400


def test_a_group_of_the_testing_folds_is_kept_out_of_training(manifest_of):
    manifest = ten_folds(manifest_of, _0=("a", "tour", "1", None), _36=("a", "tour", "10", None))

    split = make_split(manifest, SplitPlan(test_folds=(9, 10)), seed=0)

    (partition,) = split.partitions
    assert 36 in partition.test
    assert 0 not in (*partition.train, *partition.validation)
    assert split.notes == (
        "1 tracks of the folds that train share a group or content with the test; they were kept out",
    )


def test_folds_that_neither_train_nor_test_are_reported(manifest_of):
    split = make_split(ten_folds(manifest_of), SplitPlan(train_folds=(1, 2, 3), test_folds=(9,)), seed=0)

    unused = "in neither training nor test, as the recipe says: fold 4, 5, 6, 7, 8, 10"
    assert split.notes == (VALIDATES.format(3), unused)


def test_a_label_that_is_only_in_the_test_is_refused_naming_it(manifest_of):
    manifest = ten_folds(manifest_of, _36=("new", None, "10", None), _37=("new", None, "10", None))

    with pytest.raises(UsageError, match=r"class new: none of its 2 tracks is in the folds that train .*never learned"):
        make_split(manifest, SplitPlan(test_folds=(9, 10)), seed=0)


def test_a_label_that_is_only_in_training_is_reported(manifest_of):
    manifest = ten_folds(manifest_of, _0=("old", None, "1", None), _5=("old", None, "2", None))

    notes = make_split(manifest, SplitPlan(test_folds=(9, 10)), seed=0).notes

    assert "not in the folds that test, so nothing is known of them: old" in notes


def test_folds_may_validate_and_keep_what_they_share_with_others_out_of_training(manifest_of):
    manifest = ten_folds(manifest_of, _0=("a", "tour", "1", None), _32=("a", "tour", "9", None))
    plan = SplitPlan(validation_folds=(9,), test_folds=(10,))

    (partition,) = make_split(manifest, plan, seed=0).partitions

    assert folds_of(manifest, partition.validation) == {"9"}
    assert folds_of(manifest, partition.test) == {"10"}
    assert folds_of(manifest, partition.train) == {str(fold) for fold in range(1, 9)}
    assert (len(partition.train), len(partition.validation), len(partition.test)) == (31, 4, 4)
    assert 0 not in partition.train


def test_folds_that_validate_and_share_all_with_the_test_are_refused(manifest_of):
    rows = [("a", "tour", fold, None) for fold in ("2", "3")] + [("a", None, "1", None), ("b", None, "1", None)]

    with pytest.raises(UsageError, match=r"every track of the folds that validate \(2\) shares a group"):
        make_split(manifest_of(rows), SplitPlan(train_folds=(1,), validation_folds=(2,), test_folds=(3,)), seed=0)


def test_a_fold_that_is_not_there_is_refused_with_those_that_are(manifest_of):
    with pytest.raises(UsageError, match=r"split\.test_folds: there is no fold 11; there are 1, 2, .*, 10"):
        make_split(ten_folds(manifest_of), SplitPlan(test_folds=(11,)), seed=0)


def rows_recipe(**plan):
    return Recipe(
        name="rows",
        title="Rows",
        models=(ModelChoice(family="logistic", features="frame_stats"),),
        split=SplitPlan(strategy="rows", **plan),
    )


def test_rows_are_dealt_out_by_the_shares_and_stand_for_themselves(blobs):
    library = blobs(6, classes=3, rows=50)
    recipe = rows_recipe(test=0.25, validation=1 / 3)
    manifest = library.manifest()
    split = make_split(manifest, recipe.split, seed=3)

    listed, dealt, source = row_view(recipe, manifest, split, library.source)

    (partition,) = dealt.partitions
    assert (len(partition.train), len(partition.validation), len(partition.test)) == (150, 75, 75)
    assert sorted((*partition.train, *partition.validation, *partition.test)) == list(range(300))
    assert [track.row for track in listed.tracks[:52]] == [*range(50), 0, 1]
    assert owners(listed, manifest).tolist() == [number // 50 for number in range(300)]
    first = library.source.stored["frame_stats-000000000000", manifest.tracks[1].content_hash].values
    (row,) = source.rows("frame_stats-000000000000", [listed.tracks[53].content_hash])
    np.testing.assert_array_equal(row.values, first[3:4])
    assert row_view(recipe, manifest, split, library.source)[:2] == (listed, dealt)


def test_a_split_of_rows_says_that_segments_of_a_track_stand_on_both_sides(blobs):
    manifest = blobs(6).manifest()

    split = make_split(manifest, SplitPlan(strategy="rows"), seed=0)

    assert split.partitions[0].train == split.partitions[0].test == tuple(range(6))
    assert split.notes == (NOTE,)
    assert "segments of one track stand on both sides, where it has several" in NOTE


def test_a_class_with_one_track_can_be_parted_by_rows(blobs):
    library = blobs(3, classes=3, rows=40)
    recipe = rows_recipe()
    manifest = library.manifest()

    listed, dealt, _ = row_view(recipe, manifest, make_split(manifest, recipe.split, seed=0), library.source)

    assert_learned(listed, dealt)
    assert row_sides(listed, dealt).torn == 3


def test_rows_of_tracks_that_have_one_are_counted_on_their_sides_and_tear_no_track(blobs):
    library = blobs(40, rows=1)
    recipe = rows_recipe()
    manifest = library.manifest()

    listed, dealt, _ = row_view(recipe, manifest, make_split(manifest, recipe.split, seed=0), library.source)

    (part,) = dealt.partitions
    sides = row_sides(listed, dealt)
    assert (sides.train, sides.validation, sides.test) == (len(part.train), len(part.validation), len(part.test))
    assert sides.torn == 0


def test_every_other_split_is_left_as_it_is(blobs):
    library = blobs(12)
    manifest = library.manifest()
    split = make_split(manifest, SplitPlan(), seed=0)

    assert row_view(rows_recipe(), manifest, split, library.source) == (manifest, split, library.source)


def test_copies_under_a_split_of_rows_are_reported_as_torn(manifest_of):
    rows = [("ab"[number % 2], None, None, "same" if number < 3 else None) for number in range(12)]

    split = make_split(manifest_of(rows), SplitPlan(strategy="rows"), seed=0)

    assert [duplicates.kept for duplicates in split.duplicates] == [False]
    assert any("3 tracks are copies of 1 contents; their rows lie on several sides" in note for note in split.notes)


@pytest.mark.parametrize("strategy", ["grouped", "kfold", "nested", "rows"])
def test_a_split_survives_the_wire(manifest_of, strategy):
    manifest = manifest_of([("ab"[number % 2], None, None, None) for number in range(40)])

    split = make_split(manifest, SplitPlan(strategy=strategy, k=3), seed=0)

    assert Split.from_wire(split.to_wire()) == split
