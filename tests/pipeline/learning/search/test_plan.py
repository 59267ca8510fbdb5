"""Which configurations are tried: how many of which model, and what the oracles hand out."""

import json

import pytest
from programs import loaded_modules

from pipeline.errors import UsageError
from pipeline.learning.search.oracles import sweep_sizes
from pipeline.learning.search.plan import check_models, plan_study, propose, propose_trials
from pipeline.learning.search.spaces import describe, space_of
from pipeline.learning.study.oracle_state import OracleState
from pipeline.learning.study.trials import TrialOutcome
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.search import SearchPlan

pytestmark = pytest.mark.slow


FIXED_BY_FAMILY = {"columns": "", "batch": 16, "patience": 2, "activation": "tanh"}
"""In every trial of `dense_search`, beside the epochs."""


def a_recipe(*choices, **search):
    models = tuple(ModelChoice(**{"features": "frame_stats", **choice}) for choice in choices)
    return Recipe(name="made", title="Made", models=models, search=SearchPlan(**search))


def proposed(recipe, seed=0):
    return propose_trials(recipe, run_id="run-1", seed=seed)


def configuration(spec):
    return (spec.family, tuple(sorted(spec.hyperparameters.items())))


def ended(spec, objective=0.5, state="completed"):
    return TrialOutcome(spec=spec, state=state, objective=objective, reason="" if state == "completed" else "it broke")


class Study:
    """A study in one process: what its oracle becomes, and every answer."""

    def __init__(self, recipe, *, seed=0, score=lambda spec: 0.5, state=lambda spec: "completed"):
        self.recipe, self.seed, self.score, self.outcome_state = recipe, seed, score, state
        self.plan = plan_study(recipe)
        self.oracle: OracleState | None = None
        self.outcomes: list[TrialOutcome] = []

    def request(self, index, outcomes=None):
        reported = self.outcomes if outcomes is None else outcomes
        proposal = propose(self.recipe, self.plan, self.oracle, reported, index, run_id="run-1", seed=self.seed)
        # As through the ledger.
        self.oracle = OracleState.from_wire(json.loads(json.dumps(proposal.state.to_wire())))
        assert self.oracle == proposal.state
        spec = next((spec for spec in proposal.specs if spec.index == index), None)
        return proposal.answer, spec

    def end(self, spec):
        self.outcomes.append(ended(spec, self.score(spec), self.outcome_state(spec)))

    def run(self):
        """Run all trials one after the other; return the specs by index, None where there was none left."""
        specs = {}
        for index in self.plan.indices:
            answer, specs[index] = self.request(index)
            assert answer == ("proposed" if specs[index] else "exhausted")
            if specs[index] is not None:
                self.end(specs[index])
        return specs


def check_first_is_kept_and_told_once(study, *, then):
    """Check that the first trial keeps its configuration, and that whoever asks for trial `then` tells of it once."""
    _, first = study.request(0)
    before = study.oracle
    assert study.request(0) == ("proposed", first)
    assert study.oracle == before
    study.end(first)
    study.request(then)
    after = study.oracle
    assert after.reported == {0}
    assert after.version > before.version
    assert study.request(then, [ended(first, 0.9)])[0] == "proposed"
    assert study.oracle == after


def test_trials_are_shared_out_in_turn_and_numbered():
    trials = proposed(a_recipe({"family": "svm"}, {"family": "logistic"}, trials=5))

    assert [trial.family for trial in trials] == ["svm", "logistic", "svm", "logistic", "svm"]
    assert [trial.index for trial in trials] == [0, 1, 2, 3, 4]
    assert len({trial.seed for trial in trials}) == 5


def test_weights_share_the_trials_out_and_every_model_starts_early():
    choices = [
        {"family": "svm", "weight": 5},
        {"family": "logistic", "weight": 3},
        {"family": "dense_stats", "weight": 2},
    ]
    plan = plan_study(a_recipe(*choices, trials=10))

    assert [model.trials[0] for model in plan.models] == [0, 1, 2]
    assert [len(model.trials) for model in plan.models] == [5, 3, 2]
    assert plan.indices == tuple(range(10))
    assert [plan.models[plan.model_of(index)].family for index in (0, 1, 2)] == ["svm", "logistic", "dense_stats"]


def test_a_model_without_more_configurations_leaves_its_share_to_the_others():
    fixed = {"dropout": 0.3}
    plan = plan_study(a_recipe({"family": "cnn_segments", "fixed": fixed}, {"family": "svm"}, trials=9))

    assert [len(model.trials) for model in plan.models] == [2, 7]
    assert [model.configurations for model in plan.models] == [2, None]


def test_an_exhausted_study_has_fewer_trials():
    fixed = {"dropout": 0.3, "learning_rate": 1e-4, "epochs": 3}

    trials = proposed(a_recipe({"family": "cnn_segments", "fixed": fixed}, trials=20))

    assert [trial.hyperparameters["l2"] for trial in trials] == [0.0, 0.001]


@pytest.mark.parametrize("strategy", ["random", "bayesian", "hyperband"])
def test_a_space_with_nothing_to_search_gives_one_trial_and_a_note(strategy):
    fixed = {"layers": 1, "units_1": 12, "dropout": 0.0, "l2": 0.0, "learning_rate": 0.001, "epochs": 7}
    study = Study(a_recipe({"family": "dense_search", "fixed": fixed}, trials=3, strategy=strategy))
    specs = study.run()

    assert [spec.hyperparameters for spec in specs.values()] == [fixed | FIXED_BY_FAMILY]
    assert study.plan.models[0].note == "every hyper-parameter is fixed: one configuration, nothing to search"


def test_the_first_trial_of_a_model_is_its_default_and_none_repeats():
    trials = proposed(a_recipe({"family": "dense_search"}, trials=12))

    assert trials[0].hyperparameters["layers"] == 2
    assert len({configuration(trial) for trial in trials}) == 12


def test_only_the_units_of_layers_that_exist_are_proposed():
    for trial in proposed(a_recipe({"family": "dense_search"}, trials=12)):
        units = [name for name in trial.hyperparameters if name.startswith("units_")]
        assert len(units) == trial.hyperparameters["layers"]
        assert all(trial.hyperparameters[name] in range(2, 17, 2) for name in units)


def test_equal_seeds_give_equal_trials_and_other_seeds_others():
    recipe = a_recipe({"family": "svm"}, {"family": "dense_search"}, trials=8)

    assert proposed(recipe, seed=3) == proposed(recipe, seed=3)
    assert [configuration(trial) for trial in proposed(recipe, seed=3)] != [
        configuration(trial) for trial in proposed(recipe, seed=4)
    ]


def test_random_trials_are_the_same_whoever_asks_first():
    recipe = a_recipe({"family": "svm"}, trials=6)
    backwards = Study(recipe)
    specs = {index: backwards.request(index)[1] for index in (4, 1, 5, 0, 2, 3)}

    assert [specs[index] for index in range(6)] == list(proposed(recipe))


def test_trials_that_depend_on_outcomes_cannot_all_be_drawn_at_once():
    with pytest.raises(UsageError, match=r"search\.strategy bayesian chooses by outcomes"):
        proposed(a_recipe({"family": "svm"}, trials=6, strategy="bayesian"))


@pytest.mark.parametrize("strategy", ["random", "bayesian", "hyperband"])
def test_a_trial_keeps_its_configuration_and_an_outcome_is_reported_once(strategy):
    study = Study(a_recipe({"family": "dense_search", "fixed": {"epochs": 4}}, trials=6, strategy=strategy, factor=2))
    check_first_is_kept_and_told_once(study, then=1)


def test_bayesian_search_climbs_from_the_outcomes_it_was_given():
    def hill(spec):
        return 1 - (spec.hyperparameters["gamma"] - 0.25) ** 2 - (spec.hyperparameters["c"] - 25) ** 2 / 1000

    study = Study(a_recipe({"family": "svm"}, trials=14, strategy="bayesian"), score=hill)
    specs = study.run()

    assert len({configuration(spec) for spec in specs.values()}) == 14
    scores = [hill(spec) for spec in specs.values()]
    assert max(scores[6:]) > max(scores[:6])
    assert max(scores) > 0.97


def test_bayesian_search_guesses_what_runs_still_and_never_proposes_it_again():
    study = Study(a_recipe({"family": "cnn_segments"}, {"family": "svm"}, trials=14, strategy="bayesian"))
    pictures = study.plan.models[0].trials
    specs = [study.request(index)[1] for index in pictures[:3]]
    for spec in specs:
        study.end(spec)
    running = [study.request(index)[1] for index in pictures[3:]]

    assert len({configuration(spec) for spec in [*specs, *running]}) == 6


def test_hyperband_gives_few_epochs_to_many_and_more_to_the_best():
    def score(spec):
        return sum(int(spec.hyperparameters.get(f"units_{layer}", 0)) for layer in range(1, 6)) / 100

    choice = {"family": "dense_search", "fixed": {"epochs": 4}}
    study = Study(a_recipe(choice, trials=3, strategy="hyperband", factor=2), score=score)
    specs = study.run()

    assert len(specs) == 15
    epochs = [spec.hyperparameters["epochs"] for spec in specs.values()]
    assert epochs == [1, 1, 1, 1, 2, 2, 4, 2, 2, 2, 4, 4, 4, 4, 4]
    best = max(range(4), key=lambda index: score(specs[index]))
    assert specs[4].origin == {"bracket": 2, "round": 1, "continues": best}
    assert specs[4].hyperparameters == {**specs[best].hyperparameters, "epochs": 2}
    assert specs[6].seed == specs[specs[6].origin["continues"]].seed == specs[best].seed


def test_hyperband_waits_for_trials_that_run_and_goes_on_when_they_have_ended():
    choice = {"family": "dense_search", "fixed": {"epochs": 2}}
    study = Study(a_recipe(choice, strategy="hyperband", factor=2))
    assert sweep_sizes(2, 2) == [[(2, 1), (1, 2)], [(2, 2)]]
    running = [study.request(index)[1] for index in range(4)]  # the second bracket need not wait
    assert study.request(4) == ("wait", None)
    study.end(running[0])
    study.end(running[1])
    answer, last = study.request(4)
    assert answer == "proposed"
    assert last.origin["continues"] in (0, 1)


@pytest.mark.parametrize("strategy", ["random", "bayesian", "hyperband"])
def test_many_failures_in_a_row_stop_no_search(strategy):
    choice = {"family": "dense_search", "fixed": {"epochs": 4}}
    study = Study(a_recipe(choice, trials=8, strategy=strategy, factor=2), state=lambda _: "failed")
    specs = [spec for spec in study.run().values() if spec is not None]

    # Of Hyperband's fifteen no later round comes to be: nothing is good enough to go on.
    assert len(specs) == (4 + 3 + 3 if strategy == "hyperband" else 8)
    assert {study.oracle.trials[name].status for name in study.oracle.proposed.values()} <= {"FAILED", "RUNNING"}


@pytest.mark.parametrize(("epochs", "factor"), [(1, 3), (4, 2), (20, 3), (81, 3), (100, 4), (250, 3)])
def test_a_sweep_is_as_large_as_keras_tuner_makes_it(epochs, factor):
    import keras_tuner

    oracle = keras_tuner.oracles.HyperbandOracle("val_loss", max_epochs=epochs, factor=factor)
    brackets = range(oracle._get_num_brackets())

    assert sweep_sizes(epochs, factor) == [
        [(oracle._get_size(b, r), oracle._get_epochs(b, r)) for r in range(oracle._get_num_rounds(b))]
        for b in reversed(brackets)
    ]


def test_fixed_values_are_in_every_trial_and_what_they_switch_off_is_gone():
    fixed = {"layers": 1, "units_1": 12, "epochs": 7, "dropout": 0.0, "l2": 0.0, "learning_rate": 0.001}
    trials = proposed(a_recipe({"family": "dense_search", "fixed": fixed}, trials=3))

    assert [trial.hyperparameters for trial in trials] == [fixed | FIXED_BY_FAMILY]


def test_hyperband_takes_the_trials_of_a_sweep_and_leaves_models_without_epochs_to_chance():
    choices = [{"family": "dense_stats", "fixed": {"epochs": 4}}, {"family": "svm"}, {"family": "forest"}]
    plan = plan_study(a_recipe(*choices, trials=6, strategy="hyperband", factor=2))

    assert [model.oracle for model in plan.models] == ["hyperband", "random", "random"]
    assert [len(model.trials) for model in plan.models] == [15, 3, 3]
    assert plan.models[1].note == "it has no epochs to ration: searched at random"


def test_hyperband_is_no_use_where_there_are_too_few_configurations():
    plan = plan_study(a_recipe({"family": "cnn_segments"}, trials=6, strategy="hyperband"))

    assert plan.models[0].oracle == "random"
    assert "begins with 172 configurations and there are 6" in plan.models[0].note


def test_hyperband_refuses_epochs_that_are_searched_as_well():
    choice = {"family": "dense_stats", "space": {"epochs": (10, 20)}}
    with pytest.raises(UsageError, match=r"models dense_stats: space\.epochs: Hyperband rations the epochs itself"):
        check_models(a_recipe(choice, strategy="hyperband"))


def test_an_unknown_model_family_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match=r"model family svn: unknown; use one of: .*logistic.*svm"):
        plan_study(a_recipe({"family": "svn"}, trials=1))


def test_a_study_is_checked_planned_and_described_without_starting_tensorflow():
    program = (
        "from pipeline.learning.search.ranking import describe_search, summarise\n"
        "from pipeline.plans.recipe import load_recipe, recipe_names\n"
        "from pipeline.learning.search.plan import check_models\n"
        "[check_models(load_recipe(name)) for name in recipe_names()]\n"
        "[describe_search(summarise(load_recipe(name))) for name in recipe_names()]\n"
    )

    assert loaded_modules(program, {"tensorflow", "keras", "keras_tuner", "sklearn"}) == ""


def test_a_search_of_one_trial_is_the_first_of_a_longer_one_and_needs_no_keras_tuner():
    choices = [{"family": "svm"}, {"family": "forest"}, {"family": "dense_search"}, {"family": "cnn_logmel"}]
    alone = proposed(a_recipe(*choices, trials=len(choices)))
    longer = proposed(a_recipe(*choices, trials=2 * len(choices)))
    assert [configuration(spec) for spec in alone] == [
        configuration(spec) for spec in longer if spec.index < len(choices)
    ]
    assert [spec.seed for spec in alone] == [spec.seed for spec in longer if spec.index < len(choices)]

    study = Study(a_recipe({"family": "svm"}, trials=1))
    check_first_is_kept_and_told_once(study, then=0)
    assert [trial.status for trial in study.oracle.trials.values()] == ["COMPLETED"]

    program = (
        "from pipeline.plans.recipe import ModelChoice, Recipe\n"
        "from pipeline.plans.search import SearchPlan\n"
        "from pipeline.learning.search.plan import propose_trials\n"
        "models = (ModelChoice(features='frame_stats', family='svm'),)\n"
        "recipe = Recipe(name='made', title='Made', models=models, search=SearchPlan(trials=1))\n"
        "assert len(propose_trials(recipe, run_id='r', seed=0)) == 1\n"
    )
    assert loaded_modules(program, {"tensorflow", "keras_tuner"}) == ""


def test_a_feature_family_that_does_not_exist_is_refused_before_anything_begins():
    recipe = a_recipe({"family": "svm"}, trials=1).replace(features=("loudnes",))

    with pytest.raises(UsageError, match=r"loudnes.*no such family"):
        check_models(recipe)


def test_columns_that_the_features_do_not_have_are_refused_before_anything_begins():
    check_models(a_recipe({"family": "dense_search", "features": "loudness", "fixed": {"columns": "2 11"}}, trials=1))
    for tables in ({"fixed": {"columns": "2 99"}}, {"space": {"columns": ("2", "3 99")}}):
        recipe = a_recipe({"family": "dense_search", "features": "loudness", **tables}, trials=1)
        with pytest.raises(UsageError, match="models dense_search: columns of loudness: 99 is none of the 12"):
            check_models(recipe)


def test_each_model_has_a_space_of_its_own():
    models = a_recipe({"family": "svm"}, {"family": "forest"}, trials=2).models

    assert {model.family: [dimension.name for dimension in describe(space_of(model))] for model in models} == {
        "svm": ["c", "gamma"],
        "forest": ["column_share", "leaf", "trees"],
    }
