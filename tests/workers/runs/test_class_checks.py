"""Classes too small for a recipe are refused before any work, saying what is possible instead."""

import pytest

from pipeline.errors import UsageError
from pipeline.library.scan_summary import ScanSummary, check_labels
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.run import RunPlan
from pipeline.plans.split import SplitPlan


def check(tmp_path, labels, folds=(), **split):
    plan = RunPlan(
        run_id="run",
        command=("chordal", "run"),
        libraries=(str(tmp_path),),
        recipe=Recipe(
            name="mine",
            title="Mine",
            models=(ModelChoice(family="svm", features="loudness"),),
            split=SplitPlan(**split),
        ),
        labels="folder",
        groups=None,
        folds=None,
        seed=1,
        sequence=1,
        created="2026-01-01T00:00:00+00:00",
    )
    found = ScanSummary(files=sum(labels.values()), bytes=1, shards=1, labels=labels, folds=dict.fromkeys(folds, 1))
    check_labels(plan, found)


@pytest.mark.parametrize("strategy", ["auto", "grouped", "kfold", "nested"])
def test_a_class_with_one_track_is_refused_naming_it(tmp_path, strategy):
    with pytest.raises(UsageError, match="'b' has one track only; a class needs at least two"):
        check(tmp_path, {"a": 9, "b": 1}, strategy=strategy)


def test_a_class_with_one_track_will_do_where_rows_are_parted(tmp_path):
    check(tmp_path, {"a": 1, "b": 1}, strategy="rows")


@pytest.mark.parametrize("strategy", ["kfold", "nested"])
def test_a_class_with_fewer_tracks_than_folds_is_refused_with_the_number_of_folds_that_is_possible(tmp_path, strategy):
    with pytest.raises(UsageError, match=r"'b' has 3 tracks, too few for 5 folds: split\.k = 3 is possible"):
        check(tmp_path, {"a": 9, "b": 3}, strategy=strategy, k=5)
    check(tmp_path, {"a": 9, "b": 3}, strategy=strategy, k=3)


def test_classes_of_two_tracks_are_refused_as_nothing_could_validate(tmp_path):
    with pytest.raises(UsageError, match="no class has more than two tracks"):
        check(tmp_path, {"a": 2, "b": 2})


def test_a_fold_that_the_split_names_and_no_file_has_is_refused_with_those_there_are(tmp_path):
    sides = {"train_folds": ("train",), "validation_folds": ("validation",), "test_folds": ("test",)}
    with pytest.raises(
        UsageError, match=r"split\.validation_folds: no labelled file is of fold validation; there are test,"
    ):
        check(tmp_path, {"a": 9, "b": 9}, ("train", "test"), **sides)
    check(tmp_path, {"a": 9, "b": 9}, ("train", "test", "validation"), **sides)
    check(tmp_path, {"a": 9, "b": 9}, ("1", "10"), test_folds=(10,))


def test_a_recipe_that_names_folds_refuses_a_library_without(tmp_path):
    with pytest.raises(UsageError, match="recipe mine: its split names folds, and no file has one; say where they are"):
        check(tmp_path, {"a": 9, "b": 9}, (), train_folds=(1, 2), test_folds=(3,))
