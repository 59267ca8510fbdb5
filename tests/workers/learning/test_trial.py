"""One trial after the other, called directly, on a real store and ledger: repeated, resumed, failed, out of memory."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from homes import study_home

from pipeline.errors import StoreError
from pipeline.learning.study.trials import TrialOutcome
from pipeline.learning.training.executions import execution_seed
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.search import SearchPlan
from workers.app.context import Context
from workers.app.settings import Settings
from workers.broker.address import BrokerAddress
from workers.learning import final, oracle, study, trial
from workers.processes import memory_limit

pytestmark = pytest.mark.slow


def a_recipe(*families, fixed=None, **search) -> Recipe:
    models = tuple(
        ModelChoice(family=family, features="mfcc_mean", fixed=(fixed or {}).get(family, {})) for family in families
    )
    return Recipe(name="made", title="Made", models=models, search=SearchPlan(**search))


@pytest.fixture
def study_of(tmp_path, broker_less):
    """Make a home with a run of a recipe whose study has been created."""

    def make(recipe: Recipe) -> Context:
        study_home(tmp_path, recipe)
        study.create_study(broker_less, "r1")
        return broker_less

    return make


@pytest.fixture
def broker_less(tmp_path) -> Context:
    """The context of a worker whose broker is never connected to."""
    return Context(Settings(home=str(tmp_path), broker=BrokerAddress(url="redis://nowhere:1/0"), attempts=3))


def count_fits(monkeypatch) -> list[int]:
    """Return the seeds of all fits from now on."""
    from pipeline.learning.models import model_family
    from pipeline.learning.training import fit as training_fit

    seeds: list[int] = []

    def family_of(name):
        seeds.append(0)
        return model_family(name)

    monkeypatch.setattr(training_fit, "model_family", family_of)
    return seeds


def test_a_trial_delivered_twice_is_run_once(study_of, monkeypatch):
    context = study_of(a_recipe("logistic", trials=2))
    fits = count_fits(monkeypatch)

    first = trial.run_trial(context, "r1", 0)
    second = trial.run_trial(context, "r1", 0)

    assert first == second
    assert len(fits) == 1
    assert (first.state, first.attempts, first.host != "") == ("completed", 1, True)
    assert study.unfinished_trials(context, "r1") == [1]


def test_everything_about_an_execution_is_in_the_ledger_when_it_ends(study_of):
    context = study_of(a_recipe("logistic", trials=1, executions=2))

    outcome = trial.run_trial(context, "r1", 0)

    kept = context.ledger.executions("r1", 0)
    assert [(each.number, each.seed, each.state) for each in kept] == [
        (0, outcome.spec.seed, "completed"),
        (1, execution_seed(outcome.spec.seed, 1), "completed"),
    ]
    assert outcome.executions == tuple(each.replace(fits=()) for each in kept)
    assert outcome.fits == tuple(fit for each in kept for fit in each.fits)
    assert outcome.objective == pytest.approx(np.mean([each.objective for each in kept]))
    assert (context.ledger.logs("r1") / "tensorboard" / "trial-0000").is_dir()


def test_a_trial_that_is_begun_again_runs_only_the_executions_that_did_not_end(study_of, monkeypatch):
    context = study_of(a_recipe("logistic", trials=1, executions=3))
    ledger, fits = context.ledger, count_fits(monkeypatch)
    publish = ledger.put_execution

    def killed(run_id, execution):
        if execution.number == 2:
            raise KeyboardInterrupt  # as SIGKILL would: two executions are in the ledger, the third is not
        return publish(run_id, execution)

    monkeypatch.setattr(ledger, "put_execution", killed)
    with pytest.raises(KeyboardInterrupt):
        trial.run_trial(context, "r1", 0)
    monkeypatch.setattr(ledger, "put_execution", publish)
    fits.clear()

    outcome = trial.run_trial(context, "r1", 0)

    assert len(fits) == 1
    assert (outcome.state, outcome.attempts, len(outcome.executions)) == ("completed", 2, 3)
    assert [start.attempt for start in ledger.starts("r1", 0)] == [1, 2]


def test_a_trial_that_takes_its_worker_down_each_time_is_recorded_after_three_attempts(study_of):
    context = study_of(a_recipe("logistic", trials=1))
    for _ in range(3):
        context.ledger.start_trial("r1", 0)

    outcome = trial.run_trial(context, "r1", 0)

    assert (outcome.state, outcome.attempts) == ("failed", 3)
    assert outcome.reason.startswith("took its worker down 3 times, or was killed with it; most often because memory")


def test_a_trial_that_hangs_is_tried_once_more_and_then_recorded(study_of):
    context = study_of(a_recipe("logistic", trials=1, retries=1))

    def hung():
        context.ledger.start_trial("r1", 0)
        return trial.retry_or_fail(context, "r1", 0, "not done after 5 s", is_timeout=True)

    assert hung() is True
    assert context.ledger.outcome("r1", 0) is None
    assert hung() is False
    outcome = context.ledger.outcome("r1", 0)
    assert (outcome.state, outcome.reason, outcome.attempts) == ("failed", "not done after 5 s", 2)
    # and whatever comes late changes nothing
    assert trial.run_trial(context, "r1", 0) == outcome
    assert trial.retry_or_fail(context, "r1", 0, "late", is_timeout=True) is False


@pytest.mark.parametrize(
    ("starts", "is_timeout", "expected"),
    [(1, True, True), (2, True, False), (2, False, True), (3, False, False)],
)
def test_a_lost_trial_has_the_retries_of_the_recipe_or_the_attempts_of_the_worker(starts, is_timeout, expected):
    assert trial.may_run_again(starts, retries=1, attempts=3, is_timeout=is_timeout) is expected


def test_a_trial_waits_for_others_longer_and_longer_but_not_for_ever():
    assert [trial.pause_s(pauses) for pauses in range(6)] == [1, 2, 4, 8, 15, 15]
    assert trial.pause_s(trial.MOST_PAUSES) is None


def test_a_trial_that_fails_is_recorded_and_the_study_goes_on(study_of, tmp_path):
    # the network's rows are no matrices
    context = study_of(a_recipe("cnn_logmel", "logistic", trials=3, retries=1))
    outcomes = [trial.run_trial(context, "r1", index) for index in range(3)]

    assert [outcome.state for outcome in outcomes] == ["failed", "completed", "failed"]
    assert outcomes[0].reason.startswith("ValueError: cnn_logmel needs rows that are matrices")
    assert outcomes[0].executions[0].attempts == 2
    report = final.train_winner(context, "r1")
    assert report.chosen == {"holdout": (1,)}


def test_the_model_of_the_best_trial_is_delivered_where_nothing_is_fitted_again(study_of, monkeypatch):
    context = study_of(a_recipe("logistic", "dense_mean", fixed={"dense_mean": {"epochs": 2}}, trials=4, refit=False))
    outcomes = [trial.run_trial(context, "r1", index) for index in range(4)]
    (kept,) = trial.kept_models(context, "r1").iterdir()
    files = {path.name: path.read_bytes() for path in (kept / "partition-0").iterdir()}
    fits = count_fits(monkeypatch)

    report = final.train_winner(context, "r1")

    assert fits == []
    (chosen,) = report.chosen["holdout"]
    assert kept.name == f"trial-{chosen:04d}"
    assert outcomes[chosen].objective == report.validation.accuracy
    member = context.registry.path(report.model.version) / "member-0"
    assert {path.name: path.read_bytes() for path in member.iterdir()} == files
    assert not trial.kept_models(context, "r1").exists()


def test_a_model_that_was_not_kept_is_fitted_once_more(study_of, monkeypatch):
    context = study_of(a_recipe("logistic", trials=2, refit=False))
    for index in range(2):
        trial.run_trial(context, "r1", index)
    shutil.rmtree(trial.kept_models(context, "r1"))
    fits = count_fits(monkeypatch)

    final.train_winner(context, "r1")

    assert len(fits) == 1


def test_a_store_that_does_not_answer_is_raised_and_not_recorded(study_of, monkeypatch):
    context = study_of(a_recipe("logistic", trials=1))
    from pipeline.learning.training import trial as training

    monkeypatch.setattr(training, "load_rows", lambda *_, **__: (_ for _ in ()).throw(StoreError("gone")))

    with pytest.raises(StoreError):
        trial.run_trial(context, "r1", 0)
    assert context.ledger.outcome("r1", 0) is None


def test_random_trials_have_configurations_when_the_study_is_created_others_when_they_begin(study_of):
    context = study_of(a_recipe("logistic", trials=3))
    assert [spec.index for spec in context.ledger.trials("r1")] == [0, 1, 2]


def test_an_exhausted_search_skips_what_is_left(study_of, monkeypatch):
    context = study_of(a_recipe("logistic", trials=2, strategy="bayesian"))
    monkeypatch.setattr(oracle, "trial_spec", lambda *_: "exhausted")

    outcome = trial.run_trial(context, "r1", 1)

    assert (outcome.state, outcome.spec.family) == ("skipped", "logistic")
    assert outcome.reason == "the search has no configuration left for it"


def test_one_study_searches_scikit_learns_models_and_keras_models_and_the_best_wins(study_of):
    families = ("logistic", "svm", "forest", "boosting", "dense_stats")
    fixed = {"forest": {"trees": 10}, "boosting": {"rounds": 5}, "dense_stats": {"epochs": 3}}
    context = study_of(a_recipe(*families, fixed=fixed, trials=6, strategy="bayesian"))
    outcomes: list[TrialOutcome] = []
    for index in range(6):
        outcome = trial.run_trial(context, "r1", index)
        assert outcome is not None
        outcomes.append(outcome)

    assert [outcome.state for outcome in outcomes] == ["completed"] * 6, [outcome.reason for outcome in outcomes]
    assert [outcome.spec.family for outcome in outcomes[:5]] == list(families)
    report = final.train_winner(context, "r1")
    best = max(outcomes, key=lambda o: (o.objective, -o.fits[0].validation_log_loss, -o.spec.index))
    assert report.chosen == {"holdout": (best.spec.index,)}


BOUNDED = """
import sys
from pathlib import Path
import numpy as np
from workers.processes import memory_limit

with memory_limit.limit_memory(64 << 20):
    np.ones(1 << 20)  # 8 MiB are there
    try:
        np.ones(1 << 26)  # 512 MiB are not
    except MemoryError:
        print("refused")
np.ones(1 << 26)
print("free again", memory_limit.free_bytes() > 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts private memory under RLIMIT_DATA")
def test_within_the_bound_memory_that_is_not_there_is_refused_and_afterwards_the_process_is_as_before():
    done = subprocess.run([sys.executable, "-c", BOUNDED], capture_output=True, text=True, check=False)

    assert done.stdout == "refused\nfree again True\n", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts private memory under RLIMIT_DATA")
@pytest.mark.parametrize("family", ["logistic", "dense_mean"])
def test_a_trial_that_needs_more_memory_than_there_is_fails_with_that_reason(study_of, monkeypatch, family):
    # given rows of a track that stand for a library far too large
    context = study_of(a_recipe(family, trials=1, fixed={"dense_mean": {"epochs": 1}}))
    monkeypatch.setattr(memory_limit, "free_bytes", lambda: 256 << 20)
    from pipeline.learning.training import trial as training

    load = training.load_rows

    def too_many(*arguments, **more):
        rows = load(*arguments, **more)
        return type(rows)(
            x=np.tile(rows.x, (200_000, 1)), owner=np.tile(rows.owner, 200_000), is_copy=np.tile(rows.is_copy, 200_000)
        )

    monkeypatch.setattr(training, "load_rows", too_many)
    outcome = trial.run_trial(context, "r1", 0)

    assert outcome.state == "failed"
    assert outcome.reason.startswith("needs more memory than there is (Unable to allocate")


def test_what_is_left_of_a_containers_limit_is_read_from_either_version_of_cgroups(tmp_path):
    second = tmp_path / "second"
    second.mkdir()
    for name, text in (("memory.max", "1000\n"), ("memory.current", "800\n"), ("memory.stat", "inactive_file 300\n")):
        (second / name).write_text(text, "ascii")
    first = tmp_path / "first" / "memory"
    first.mkdir(parents=True)
    for name, text in (
        ("memory.limit_in_bytes", "1000"),
        ("memory.usage_in_bytes", "900"),
        ("memory.stat", "total_inactive_file 50\n"),
    ):
        (first / name).write_text(text, "ascii")

    assert memory_limit.free_bytes(second) == 500
    assert memory_limit.free_bytes(first.parent) == 150
    assert memory_limit.free_bytes(tmp_path) > 1000
    (second / "memory.max").write_text("max\n", "ascii")
    assert memory_limit.free_bytes(second) > 1000
