"""What a search is before it begins, and what came of it."""

import re

import pytest

from pipeline.learning.search.plan import plan_study
from pipeline.learning.search.ranking import describe_search, pace, rank, summarise
from pipeline.learning.study.trials import Execution, FitReport, TrialOutcome, TrialSpec
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.search import SearchPlan


def spec(index, **more):
    return TrialSpec(
        run_id="r", index=index, family="svm", features="mfcc_mean", hyperparameters={"c": 1.0}, seed=index, **more
    )


def outcome(index, objective, *, loss=0.5, state="completed", scores=(), seconds=2.0):
    fit = FitReport(
        partition="holdout",
        validation_accuracy=objective,
        validation_log_loss=loss,
        epochs=0,
        seconds=1.0,
        parameters=1,
    )
    executions = tuple(
        Execution(trial=index, number=number, seed=number, state="completed", objective=score)
        for number, score in enumerate(scores)
    )
    return TrialOutcome(
        spec=spec(index), state=state, objective=objective, fits=(fit,), executions=executions, seconds=seconds
    )


def test_trials_are_ranked_as_the_winner_is_chosen_and_the_rest_come_after():
    outcomes = [
        outcome(0, 0.5),
        outcome(1, 0.75, loss=0.9),
        outcome(2, 0.75, loss=0.4),
        outcome(3, 0.0, state="failed"),
        outcome(4, 0.0, state="skipped"),
    ]

    rows = rank(outcomes, [spec(index) for index in range(6)])

    assert [(row.rank, row.trial, row.state) for row in rows] == [
        (1, 2, "completed"),
        (2, 1, "completed"),
        (3, 0, "completed"),
        (None, 3, "failed"),
        (None, 4, "skipped"),
        (None, 5, "running"),
    ]
    assert rows[3].score is None


def test_the_spread_is_that_of_the_executions():
    single, double = rank([outcome(0, 0.5, scores=(0.5,)), outcome(1, 0.4, scores=(0.3, 0.5))])

    assert (single.spread, single.scores) == (None, (0.5,))
    assert double.spread == pytest.approx(0.1414, abs=1e-4)


def test_the_speed_up_is_how_many_trials_were_worked_on_at_a_time():
    gained = pace([outcome(0, 0.5), outcome(1, 0.5), outcome(2, 0.5, state="skipped", seconds=9.0)], 2.5)

    assert (gained.trial_s, gained.wall_s) == (4.0, 2.5)
    assert gained.speed_up == pytest.approx(1.6)
    assert pace([outcome(0, 0.5)], None) is None
    assert pace([], 2.0) is None


def test_a_search_is_described_before_it_begins():
    recipe = Recipe(
        name="made",
        title="Made",
        models=(
            ModelChoice(family="svm", features="mfcc_mean", fixed={"gamma": 0.5}),
            ModelChoice(family="dense_stats", features="mfcc_mean", fixed={"epochs": 4}, space={"dropout": (0.3, 0.4)}),
            ModelChoice(family="cnn_segments", features="mfcc_segments", fixed={"dropout": 0.3}),
        ),
        search=SearchPlan(strategy="hyperband", factor=2, trials=3, executions=2),
    )

    lines = describe_search(summarise(recipe))
    assert "Hyperband begins with" in lines[3]
    assert [re.sub(r"; (learning_rate .*|Hyperband .* random)", "", line) for line in lines] == [
        "search: hyperband, 18 trials of 2 executions",
        "  svm on mfcc_mean: 2 trials; it has no epochs to ration: searched at random; c 2 to 30, logarithmic",
        "  dense_stats on mfcc_mean: 15 trials; layers 1 to 2, step 1; units 128, 256; dropout 0.3, 0.4",
        "  cnn_segments on mfcc_segments: 1 trial, 2 configurations there are; l2 0, 0.001",
    ]


def test_an_old_runs_study_is_described_by_its_recipe():
    recipe = Recipe(
        name="made", title="Made", models=(ModelChoice(family="svm", features="mfcc_mean"),) * 2, search=SearchPlan()
    )
    planned = plan_study(recipe)
    old = planned.replace(models=planned.models[:1])

    assert [model.model for model in summarise(recipe, old).models] == ["svm"]
