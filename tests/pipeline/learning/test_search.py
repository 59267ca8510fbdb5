"""Which configurations are tried."""

import subprocess
import sys
import tempfile

import pytest

from pipeline.errors import UsageError
from pipeline.models import model_family, model_names
from pipeline.recipe import ModelChoice, Recipe, SearchPlan
from pipeline.search import _Names, check_models, propose_trials, search_space_summary


def a_recipe(*choices, trials):
    models = tuple(ModelChoice(features="frame_stats", **choice) for choice in choices)
    return Recipe(name="made", title="Made", models=models, search=SearchPlan(trials=trials))


def propose(recipe, seed=0):
    return propose_trials(recipe, run_id="run-1", seed=seed)


def told(spec):
    return (spec.family, tuple(sorted(spec.hyperparameters.items())))


def test_trials_are_shared_out_in_turn_and_numbered():
    trials = propose(a_recipe({"family": "svm"}, {"family": "logistic"}, trials=5))

    assert [trial.family for trial in trials] == ["svm", "logistic", "svm", "logistic", "svm"]
    assert [trial.index for trial in trials] == [0, 1, 2, 3, 4]
    assert len({trial.seed for trial in trials}) == 5


def test_weights_share_the_trials_out_and_every_model_starts_early():
    choices = [
        {"family": "svm", "weight": 5},
        {"family": "logistic", "weight": 3},
        {"family": "dense_stats", "weight": 2},
    ]
    families = [trial.family for trial in propose(a_recipe(*choices, trials=10))]

    assert families[:3] == ["svm", "logistic", "dense_stats"]
    assert {family: families.count(family) for family in families} == {"svm": 5, "logistic": 3, "dense_stats": 2}


def test_the_first_trial_of_a_model_is_its_default_and_none_repeats():
    trials = propose(a_recipe({"family": "dense_search"}, trials=12))

    assert trials[0].hyperparameters["layers"] == 2
    assert len({told(trial) for trial in trials}) == 12


def test_only_the_units_of_layers_that_exist_are_told():
    for trial in propose(a_recipe({"family": "dense_search"}, trials=12)):
        units = [name for name in trial.hyperparameters if name.startswith("units_")]
        assert len(units) == trial.hyperparameters["layers"]
        assert all(trial.hyperparameters[name] in range(2, 17, 2) for name in units)


def test_equal_seeds_give_equal_trials_and_other_seeds_others():
    recipe = a_recipe({"family": "svm"}, {"family": "dense_search"}, trials=8)

    assert propose(recipe, seed=3) == propose(recipe, seed=3)
    assert [told(trial) for trial in propose(recipe, seed=3)] != [told(trial) for trial in propose(recipe, seed=4)]


def test_an_exhausted_space_gives_fewer_trials():
    fixed = {"dropout": 0.3, "learning_rate": 1e-4, "epochs": 3}

    trials = propose(a_recipe({"family": "cnn_segments", "fixed": fixed}, trials=20))

    assert [trial.hyperparameters["l2"] for trial in trials] == [0.0, 0.001]


def test_fixed_values_are_in_every_trial_and_what_they_switch_off_is_gone():
    fixed = {"layers": 1, "units_1": 12, "epochs": 7, "dropout": 0.0, "l2": 0.0, "learning_rate": 0.001}
    trials = propose(a_recipe({"family": "dense_search", "fixed": fixed}, trials=3))

    assert [trial.hyperparameters for trial in trials] == [fixed | {"columns": "", "batch": 16, "patience": 2}]


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"gama": 1.0}, r"svm: fixed\.gama: unknown; svm has c, gamma"),
        ({"c": "large"}, r"fixed\.c: 'large' is not of the kind of its default, 8\.0"),
        ({"c": True}, r"fixed\.c: True is not of the kind"),
        ({"c": -1}, r"fixed\.c: -1 is negative"),
    ],
)
def test_fixed_values_that_make_no_sense_are_refused(fixed, message):
    with pytest.raises(UsageError, match=message):
        propose(a_recipe({"family": "svm", "fixed": fixed}, trials=1))


def test_an_unknown_model_family_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match=r"model family svn: unknown; use one of: .*logistic.*svm"):
        propose(a_recipe({"family": "svn"}, trials=1))


def test_models_are_checked_without_starting_tensorflow():
    program = (
        "import sys\n"
        "from pipeline.recipe import load_recipe, recipe_names\n"
        "from pipeline.search import check_models\n"
        "[check_models(load_recipe(name)) for name in recipe_names()]\n"
        "assert not {'tensorflow', 'keras', 'keras_tuner', 'sklearn'} & set(sys.modules)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_a_feature_family_that_does_not_exist_is_refused_before_anything_begins():
    recipe = a_recipe({"family": "svm"}, trials=1).replace(features=("loudnes",))

    with pytest.raises(UsageError, match=r"loudnes.*no such family"):
        check_models(recipe)


@pytest.mark.parametrize("name", model_names())
def test_the_check_knows_the_same_names_and_defaults_as_the_search(name):
    names = _Names()
    model_family(name).space(names)
    summary = search_space_summary(a_recipe({"family": name}, trials=1))

    assert {d.name: d.default for d in summary[f"{name} on frame_stats"]} == names.defaults


def test_drawing_leaves_no_folder_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    propose(a_recipe({"family": "svm"}, trials=4))

    assert list(tmp_path.iterdir()) == []


def test_the_summary_tells_ranges_defaults_conditions_and_fixed_values():
    recipe = a_recipe({"family": "dense_search", "fixed": {"epochs": 20}}, trials=1)

    summary = {dimension.name: dimension for dimension in search_space_summary(recipe)["dense_search on frame_stats"]}

    assert summary["layers"].values == "1 to 5, step 1"
    assert summary["units_3"].values == "2 to 16, step 2"
    assert summary["units_3"].when == "layers in 3, 4, 5"
    assert (summary["epochs"].values, summary["epochs"].default) == ("20 (fixed)", 20)
