"""A new run takes over what an interrupted one with an equal study left, and ends as if nothing had happened."""

import shutil
from collections.abc import Callable

import pytest
from homes import run_plan, study_home

from pipeline.library.tracks import ScannedTrack
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.search import SearchPlan
from storage.home import Home
from workers.app.context import Context
from workers.app.settings import Settings
from workers.broker.address import BrokerAddress
from workers.learning import oracle, study, trial
from workers.runs.active import announce
from workers.runs.cancel import CANCELLED

pytestmark = pytest.mark.slow

SEARCHES = {
    "random": (ModelChoice(family="logistic", features="mfcc_mean"), {"trials": 4, "executions": 2}),
    "bayesian": (ModelChoice(family="logistic", features="mfcc_mean"), {"trials": 4, "executions": 2}),
    "hyperband": (ModelChoice(family="dense_search", features="mfcc_mean", fixed={"epochs": 2}), {"factor": 2}),
}


def a_recipe(strategy: str) -> Recipe:
    choice, given = SEARCHES[strategy]
    search = SearchPlan(strategy=strategy, **given)
    return Recipe(name=strategy, title=strategy, models=(choice,), search=search)


def context_of(home) -> Context:
    """Return the context of a worker whose broker is never connected to."""
    return Context(Settings(home=str(home), broker=BrokerAddress(url="redis://nowhere:1/0"), attempts=3))


def begin(context: Context, run_id: str, number: int, **given) -> None:
    """Scan again, for a run of the same recipe as the first."""
    first = context.ledger.plan("r1")
    plan = run_plan(
        run_id, **{"command": first.command, "recipe": first.recipe, "extract": False, "sequence": number, **given}
    )
    context.ledger.create(plan.replace(versions=first.versions))
    context.ledger.write_shard(run_id, 0, context.ledger.shard("r1", 0))
    context.ledger.close_scan(run_id, 1)


def work(context: Context, run_id: str, *, until: Callable[[], bool] = lambda: False) -> None:
    """Run the trials of a run in their order, until a condition is true or all have ended."""
    while missing := study.unfinished_trials(context, run_id):
        for index in missing:
            if until():
                return
            trial.run_trial(context, run_id, index)


def results(context: Context, run_id: str) -> list[tuple]:
    """Return what every trial tried and what came of it."""
    return [
        (
            each.spec.index,
            each.spec.hyperparameters,
            each.spec.origin,
            each.spec.seed,
            each.state,
            each.objective,
            tuple(fit.validation_probabilities for fit in each.fits),
        )
        for each in context.ledger.outcomes(run_id)
    ]


@pytest.fixture(scope="module", params=list(SEARCHES))
def uninterrupted(request, tmp_path_factory):
    """The home of a whole search by each strategy, with its results."""
    folder = tmp_path_factory.mktemp(request.param)
    study_home(folder, a_recipe(request.param), tracks=18)
    shutil.copytree(folder, folder.with_suffix(".begun"))
    context = context_of(folder)
    study.create_study(context, "r1")
    work(context, "r1")
    return folder.with_suffix(".begun"), results(context, "r1")


def before_the_first(context: Context) -> None:
    oracle.trial_spec(context, "r1", 0)


def in_the_middle_of_a_trial(context: Context) -> None:
    publish, ledger = context.ledger.put_execution, context.ledger

    def killed(run_id, execution):
        publish(run_id, execution)
        if execution.trial == 1:
            raise KeyboardInterrupt

    ledger.put_execution = killed
    with pytest.raises(KeyboardInterrupt):
        work(context, "r1")
    del ledger.put_execution


def after_two(context: Context) -> None:
    work(context, "r1", until=lambda: len(context.ledger.ended_trials("r1")) == 2)


def after_all(context: Context) -> None:
    work(context, "r1")


@pytest.mark.parametrize(
    ("stop", "taken"),
    [(before_the_first, 0), (in_the_middle_of_a_trial, 1), (after_two, 2), (after_all, None)],
)
def test_a_search_goes_on_as_if_it_had_not_been_interrupted(tmp_path, uninterrupted, stop, taken):
    begun, expected = uninterrupted
    home = tmp_path / "home"
    shutil.copytree(begun, home)
    context = context_of(home)
    study.create_study(context, "r1")
    stop(context)
    done = {index: context.ledger.outcome("r1", index) for index in context.ledger.ended_trials("r1")}

    begin(context, "r2", 2)
    planned = study.create_study(context, "r2")
    work(context, "r2")

    assert len(planned.taken_over) == (len(expected) if taken is None else taken)
    assert planned.taken_over == tuple(done)
    assert planned.continues == ("r1" if done else "")
    # nothing that had ended was begun again, and an execution that had ended was not done again
    assert [context.ledger.starts("r2", index) for index in done] == [[] for _ in done]
    if stop is in_the_middle_of_a_trial:
        before, after = (context.ledger.executions(run_id, 1) for run_id in ("r1", "r2"))
        assert (len(before), len(after)) == (1, context.ledger.plan("r1").recipe.search.executions)
        assert after[0] == before[0]
    assert results(context, "r2") == expected
    # what was interrupted stays as it was
    assert {index: context.ledger.outcome("r1", index) for index in done} == done
    logs = context.ledger.logs("r2") / "tensorboard"
    assert len(list(logs.iterdir())) == len(expected)


@pytest.fixture
def interrupted(tmp_path) -> Context:
    """A home with a search of which two trials have ended."""
    study_home(tmp_path, a_recipe("random"), tracks=18)
    context = context_of(tmp_path)
    study.create_study(context, "r1")
    after_two(context)
    return context


def taken_over(context: Context, number: int = 2, **given) -> tuple[str, tuple[int, ...]]:
    """Begin a run, and return whose trials it took over, and which."""
    begin(context, f"r{number}", number, **given)
    planned = study.create_study(context, f"r{number}")
    return planned.continues, planned.taken_over


def test_another_recipe_seed_or_software_starts_anew(interrupted):
    recipe = interrupted.ledger.plan("r1").recipe
    assert taken_over(interrupted, 2, seed=2) == ("", ())
    assert taken_over(interrupted, 3, recipe=recipe.replace(search=recipe.search.replace(trials=5))) == ("", ())
    begin(interrupted, "r4", 4)
    plan = interrupted.ledger.plan("r4")
    interrupted.ledger.remove("r4")
    interrupted.ledger.create(plan.replace(versions={"keras": "0"}))
    interrupted.ledger.write_shard("r4", 0, interrupted.ledger.shard("r1", 0))
    interrupted.ledger.close_scan("r4", 1)
    assert study.create_study(interrupted, "r4").continues == ""
    assert taken_over(interrupted, 5) == ("r1", (0, 1))


def test_other_labels_start_anew(interrupted):
    first = interrupted.ledger.plan("r1")
    tracks: list[ScannedTrack] = list(interrupted.ledger.shard("r1", 0))
    swapped = [tracks[0].replace(label=tracks[1].label), tracks[1].replace(label=tracks[0].label), *tracks[2:]]
    interrupted.ledger.create(first.replace(run_id="r2", sequence=2))
    interrupted.ledger.write_shard("r2", 0, swapped)
    interrupted.ledger.close_scan("r2", 1)
    assert study.create_study(interrupted, "r2").continues == ""


def test_a_run_whose_command_lives_is_left_alone(interrupted):
    with announce(Home(interrupted.path), "r1"):
        assert taken_over(interrupted) == ("", ())
    assert taken_over(interrupted, 3)[1] == (0, 1)


def test_a_cancelled_run_is_taken_over_as_its_command_says(interrupted):
    interrupted.ledger.claim("r1", CANCELLED)
    assert taken_over(interrupted) == ("r1", (0, 1))


def test_failed_trials_are_tried_again(interrupted):
    ledger = interrupted.ledger
    third = oracle.trial_spec(interrupted, "r1", 2)
    ledger.put_outcome(ledger.outcome("r1", 0).replace(spec=third, state="failed", fits=(), executions=()))
    assert taken_over(interrupted) == ("r1", (0, 1))
    work(interrupted, "r2")
    assert [each.state for each in ledger.outcomes("r2")] == ["completed"] * 4


def test_a_chain_of_interruptions_loses_nothing(interrupted):
    taken_over(interrupted)
    work(interrupted, "r2", until=lambda: len(interrupted.ledger.ended_trials("r2")) == 3)
    assert taken_over(interrupted, 3) == ("r2", (0, 1, 2))


def finish(context: Context, run_id: str) -> None:
    """Leave the marks of a run that came to its end."""
    (context.ledger.path(run_id) / "report.json").write_text("{}", "utf-8")
    (context.ledger.path(run_id) / "report.html").write_text("page", "utf-8")


def test_a_run_that_came_to_its_end_is_not_gone_on_with(interrupted):
    finish(interrupted, "r1")
    assert taken_over(interrupted) == ("", ())
    # and what is newer than it counts, not an older interruption
    finish(interrupted, "r2")
    assert taken_over(interrupted, 3) == ("", ())


def test_of_a_command_with_two_recipes_the_first_is_not_searched_again(tmp_path):
    recipe = a_recipe("random").replace(then="after")
    study_home(tmp_path, recipe, tracks=18)
    context = context_of(tmp_path)
    study.create_study(context, "r1")
    work(context, "r1")
    finish(context, "r1")
    # the command ended between its recipes
    assert taken_over(context) == ("r1", (0, 1, 2, 3))
    # and then in the middle of the second one
    finish(context, "r2")
    begin(context, "r3", 3, recipe=a_recipe("bayesian"))
    assert taken_over(context, 4) == ("r2", (0, 1, 2, 3))
    # when both have ended, the command means a new search
    finish(context, "r4")
    begin(context, "r5", 5, recipe=a_recipe("bayesian"))
    finish(context, "r5")
    assert taken_over(context, 6) == ("", ())
