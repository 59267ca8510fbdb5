"""The recipes that come with chordal, and what a recipe file may say."""

import pytest

from pipeline.errors import UsageError
from pipeline.features.registry import families
from pipeline.learning.models import model_names
from pipeline.learning.search.plan import plan_study, propose_trials
from pipeline.plans.recipe import load_recipe, parse_recipe, recipe_names
from pipeline.plans.recipe_toml import recipe_toml

MINIMAL = """
name = "mine"
title = "Mine"
[[models]]
family = "svm"
features = "mfcc_mean"
"""


def test_the_recipes_of_the_tutorials_come_along():
    tutorials = {"rostock-genre", "binary-boundary", "gtzan-cnn", "urbansound-mfcc", "tones"}
    assert tutorials <= set(recipe_names())


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_that_comes_along_can_be_run(name):
    recipe = load_recipe(name)

    assert recipe.name == name
    assert {model.family for model in recipe.models} <= set(model_names())
    assert set(recipe.families) <= {*families(), "points"}
    assert len(plan_study(recipe).indices) == recipe.search.trials
    assert parse_recipe(recipe_toml(recipe), name) == recipe
    if recipe.quick is not None:
        assert plan_study(recipe.quick_form()).indices


def test_a_minimal_file_is_enough(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL, "utf-8")

    recipe = load_recipe(str(path))

    assert recipe.split.strategy == "auto"
    assert recipe.families == ("mfcc_mean",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("features =", "feature ="), r"recipe mine\.toml: Object contains unknown field `feature` - at `\$\.models"),
        (('family = "svm"', "family = 3"), r"Expected `str`, got `int` - at `\$\.models\[0\]\.family`"),
        (("[[models]]", "[search]\ntrails = 3\n[[models]]"), r"unknown field `trails` - at `\$\.search`"),
        (("[[models]]", "[search]\ntrials = 0\n[[models]]"), r"search\.trials is 0 for 1 models"),
        (("[[models]]", "[split]\ntest = 1.5\n[[models]]"), r"split\.test is 1\.5"),
        (("[[models]]", '[search]\nstrategy = "grid"\n[[models]]'), r"Invalid enum value 'grid' - at `\$\.search"),
        (("[[models]]", "[search]\nexecutions = 0\n[[models]]"), r"search\.executions is 0; .* from 1 up"),
        (("[[models]]", "[search]\nfactor = 1\n[[models]]"), r"search\.factor is 1; .* from 2 up"),
        (("[[models]]", "[search]\nlimit_s = 0\n[[models]]"), r"search\.limit_s is 0; .* from 1 up"),
        (("[[models]]", "[split]\nk = 1\n[[models]]"), r"split\.k is 1; give at least 2 folds"),
        (("[[models]]", "[split]\ninner = 0\n[[models]]"), r"split\.inner is 0"),
        (("[[models]]", '[split]\nstrategy = "random"\n[[models]]'), r"Invalid enum value 'random'"),
        (
            ("[[models]]", "[split]\ntest_folds = [1]\nvalidation_folds = ['1']\n[[models]]"),
            r"fold 1 is in test_folds and in validation_folds",
        ),
        (
            ("[[models]]", "[split]\nvalidation_folds = [1]\n[[models]]"),
            r"validation_folds stands alone",
        ),
        (
            ("[[models]]", "[split]\ntrain_folds = [1, 2]\ntest_folds = ['2']\n[[models]]"),
            r"fold 2 is in train_folds and in test_folds",
        ),
        (
            ("[[models]]", '[split]\nstrategy = "kfold"\ntest_folds = [1]\n[[models]]'),
            r"train_folds and test_folds are predefined folds",
        ),
        (
            ("[[models]]", '[split]\nstrategy = "nested"\n[search]\nrefit = false\n[[models]]'),
            r"search\.refit is false; with nested cross-validation",
        ),
        (
            (
                "[[models]]",
                '[split]\nstrategy = "rows"\n[[models]]\nfamily = "svm"\nfeatures = "loudness"\n[[models]]',
            ),
            r'"rows" deals out the rows of one feature family',
        ),
        (
            ("[[models]]", '[split]\nstrategy = "rows"\n[augment]\ngain_db = [-3, 3]\n[[models]]'),
            r"leave \[augment\] out",
        ),
        (("[[models]]", '[training]\nbalance = "often"\n[[models]]'), r"Invalid enum value 'often'"),
        (("[[models]]", "[answer]\naccuracy = 90\n[[models]]"), r"answer\.accuracy is 90"),
        (("[[models]]", "[answer]\ncoverage = -0.1\n[[models]]"), r"answer\.coverage is -0\.1"),
        (('features = "mfcc_mean"', 'features = "mfcc_mean"\nweight = 0'), r"models\.weight is 0"),
        (('title = "Mine"', "title = Mine"), r"not valid TOML"),
        (('title = "Mine"', 'title = "Mine"\nthen = "next"'), r"then: next is none of: .*tones-notes"),
        (('title = "Mine"', 'title = "Mine"\noutputs = ["pies"]'), r"Invalid enum value 'pies' - at `\$\.outputs"),
        (("[[models]]", "[quick]\ntrials = 0\n[[models]]"), r"quick: trials and epochs"),
        (("[[models]]", "[search]\ntrails = 3\n[[models]]"), r"unknown field `trails`.*, did you mean trials\?"),
        (("[[models]]", '[library]\nkind = "points"\nrandom_state = -1\n[[models]]'), r"library\.random_state is -1"),
        (("[[models]]", '[library]\nkind = "points"\nclass_sep = nan\n[[models]]'), r"library\.class_sep is nan"),
        (("[[models]]", '[library]\nkind = "tones"\nseed = -1\n[[models]]'), r"library\.seed is -1"),
        (("[[models]]", '[library]\nkind = "tones"\nphase_rad = nan\n[[models]]'), r"library\.phase_rad is nan"),
        (("[[models]]", '[library]\nkind = "noise"\n[[models]]'), r"Invalid value 'noise' - at `\$\.library\.kind`"),
    ],
)
def test_a_typo_in_a_recipe_is_refused_naming_file_and_key(change, message):
    with pytest.raises(UsageError, match=message):
        parse_recipe(MINIMAL.replace(*change), "mine.toml")


def test_the_quick_form_has_fewer_trials_and_epochs_and_is_refused_where_there_is_none():
    recipe = load_recipe("rostock-genre")
    quick = recipe.quick_form()

    assert (recipe.search.trials, recipe.models[0].fixed["epochs"]) == (50, 250)
    assert (quick.search.trials, quick.models[0].fixed["epochs"]) == (5, 20)
    assert quick.models[0].fixed | {"epochs": 250} == recipe.models[0].fixed
    short = recipe.replace(search=recipe.search.replace(trials=4))
    assert short.quick_form().search.trials == 4  # fewer than the quick form's own stay as they are
    with pytest.raises(UsageError, match="recipe default: has no quick form"):
        load_recipe("default").quick_form()


def test_dual_mono_takes_the_place_of_the_loudness_in_families_and_models_and_is_added_where_there_is_none():
    text = MINIMAL.replace('title = "Mine"', 'title = "Mine"\nfeatures = ["loudness", "ebu_r128"]')
    recipe = parse_recipe(text.replace("mfcc_mean", "ebu_r128"), "mine.toml")
    assert recipe.with_dual_mono().families == ("loudness", "ebu_r128_dual_mono")
    assert recipe.with_dual_mono().with_dual_mono() == recipe.with_dual_mono()
    default = load_recipe("default")
    assert set(default.with_dual_mono().families) == {*default.families, "ebu_r128_dual_mono"}
    assert default.with_dual_mono().models == default.models


def test_the_searched_network_is_that_of_the_tutorial():
    recipe = load_recipe("rostock-genre")
    trials = propose_trials(recipe, run_id="run-1", seed=3)

    assert (len(trials), recipe.search.executions) == (50, 2)
    assert {trial.hyperparameters["layers"] for trial in trials} == {1, 2, 3, 4, 5}
    for trial in trials:
        values = trial.hyperparameters
        units = [values[f"units_{layer}"] for layer in range(1, values["layers"] + 1)]
        assert all(number in range(2, 17, 2) for number in units)
        assert (values["batch"], values["patience"], values["epochs"]) == (16, 2, 250)
        assert (values["dropout"], values["l2"], values["columns"]) == (0.0, 0.0, "2 3 5 7 8 10 11")


def test_the_homework_searches_dropout_regularisation_and_learning_rate_too():
    trials = propose_trials(load_recipe("rostock-homework"), run_id="run-1", seed=3)

    for name in ("dropout", "l2", "learning_rate"):
        assert len({trial.hyperparameters[name] for trial in trials}) > 2


def test_the_segment_network_is_tried_with_and_without_regularisation():
    trials = propose_trials(load_recipe("gtzan-cnn"), run_id="run-1", seed=0)

    assert sorted(trial.hyperparameters["l2"] for trial in trials) == [0.0, 0.001]
    assert all(trial.hyperparameters["learning_rate"] == 1e-4 for trial in trials)
    assert all(trial.hyperparameters["epochs"] == 100 for trial in trials)


def test_an_unknown_recipe_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match=r"recipe defualt: no such recipe or file, did you mean default\?; .*default"):
        load_recipe("defualt")
