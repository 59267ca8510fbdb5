"""The end of a run that learns: when it is not due, when it fails, and that it is done once."""

import errno

import pytest
from homes import study_home

from pipeline.errors import StoreError, UsageError
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.search import SearchPlan
from workers.app import task_names
from workers.app.context import Context
from workers.app.settings import Settings
from workers.learning import final, study, trial
from workers.learning.final import UnfinishedRun

pytestmark = pytest.mark.slow


@pytest.fixture
def context(tmp_path, broker) -> Context:
    """A home with a run whose study has one trial."""
    recipe = Recipe(
        name="made",
        title="Made",
        models=(ModelChoice(family="logistic", features="mfcc_mean"),),
        search=SearchPlan(trials=1),
    )
    study_home(tmp_path, recipe)
    opened = Context(Settings(home=str(tmp_path), broker=broker))
    study.create_study(opened, "r1")
    return opened


def test_a_run_is_finished_once(context, monkeypatch):
    trial.run_trial(context, "r1", 0)
    first = final.finish_run(context, "r1")
    assert (first.report.model.version, first.verdict.state) == ("v0001", "promoted")
    assert (context.ledger.path("r1") / "report.html").is_file()
    monkeypatch.setattr(final.training, "finish_study", None)
    assert final.finish_run(context, "r1") == first


def test_a_cancelled_run_is_left_alone(context):
    context.counters.cancel("r1")
    assert final.finish_run(context, "r1") == UnfinishedRun(state="cancelled")
    assert context.ledger.failure("r1") is None


def test_the_end_waits_for_trials_that_have_not_ended(context):
    assert final.finish_run(context, "r1") == UnfinishedRun(state="waits", reason="1 trials have not ended")
    assert context.ledger.failure("r1") is None


def test_a_final_training_that_ends_its_worker_too_often_fails_the_run(context):
    trial.run_trial(context, "r1", 0)
    for _ in range(context.settings.attempts):
        context.counters.attempt("r1", "finish")
    context.counters.add_trouble("r1", f"{task_names.FINISH_RUN}: no such layer")
    context.counters.add_trouble("r1", f"{task_names.RUN_TRIAL}: of another task")
    end = final.finish_run(context, "r1")
    reason = f"the final training ended its worker {context.settings.attempts} times (no such layer); see logs/"
    assert end == UnfinishedRun(state="failed", reason=reason)
    assert context.ledger.failure("r1") == reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UsageError("model v0001: gone"), "model v0001: gone"),
        (MemoryError("7 GiB"), "the final training needs more memory than there is (7 GiB)"),
    ],
)
def test_what_cannot_be_finished_has_failed_with_its_reason(context, monkeypatch, error, reason):
    trial.run_trial(context, "r1", 0)
    monkeypatch.setattr(final, "train_winner", lambda *_: (_ for _ in ()).throw(error))
    assert final.finish_run(context, "r1") == UnfinishedRun(state="failed", reason=reason)
    assert context.ledger.failure("r1") == reason


def test_a_disk_that_fills_up_while_a_model_is_saved_is_named_and_fails_no_run_however_often(context, monkeypatch):
    trial.run_trial(context, "r1", 0)
    monkeypatch.setattr(final.training, "finish_study", lambda *_, **__: _fill_up())
    for _ in range(context.settings.attempts + 1):
        with pytest.raises(StoreError, match=r"r1: cannot be finished \(No space left on device; free some space"):
            final.finish_run(context, "r1")
    assert context.ledger.failure("r1") is None


def _fill_up():
    raise OSError(errno.ENOSPC, "what a library says of it")


def test_a_store_that_does_not_answer_is_raised_for_another_attempt(context, monkeypatch):
    trial.run_trial(context, "r1", 0)
    monkeypatch.setattr(final, "train_winner", lambda *_: (_ for _ in ()).throw(StoreError("gone")))
    with pytest.raises(StoreError):
        final.finish_run(context, "r1")
    assert context.ledger.failure("r1") is None
