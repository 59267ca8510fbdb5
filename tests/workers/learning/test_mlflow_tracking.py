"""Runs in a real MLflow, in a file here."""

import pytest
from model_homes import learn, songs, store

from pipeline.errors import UsageError
from pipeline.learning.study.trials import FitReport, PlannedModel, StudyPlan, TrialOutcome, TrialSpec
from storage.home import Home
from workers.learning import mlflow_tracking, promotion

pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def home(tmp_path) -> Home:
    """A home with a run that has learned, one trial with curves and one that failed."""
    opened = Home(tmp_path / "home")
    store(opened.path, songs(10))
    learn(opened.path, "r1", songs(6), songs(4, first=6))
    promotion.decide(opened, "r1")
    spec = TrialSpec(
        run_id="r1", index=0, family="logistic", features="mfcc_mean", hyperparameters={"rate": 0.1}, seed=3
    )
    fit = FitReport(
        partition="holdout", validation_accuracy=0.75, epochs=3, seconds=1.0, parameters=9,
        curves={"loss": (1.0, 0.5, 0.25), "val_loss": (1.0, 0.7, 0.6)},
    )  # fmt: skip
    opened.ledger.put_outcome(
        TrialOutcome(spec=spec, state="completed", objective=0.75, fits=(fit,), seconds=2.0, host="h")
    )
    opened.ledger.put_outcome(TrialOutcome(spec=spec.replace(index=1), state="failed", reason="no memory"))
    model = PlannedModel(name="00-logistic", family="logistic", features="mfcc_mean", oracle="random", trials=(0, 1))
    opened.ledger.put_study("r1", StudyPlan(strategy="random", models=(model,)))
    for index in range(2):
        opened.ledger.put_trial(spec.replace(index=index))
    opened.ledger.close_scan("r1", 0)
    return opened


@pytest.fixture
def address(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_the_study_every_trial_the_scores_and_the_model_are_logged_once(home, address):
    tracked = mlflow_tracking.track(home, "r1", address)
    with mlflow_tracking._client(address) as client:
        run = client.get_run(tracked.run)
        assert client.get_experiment(tracked.experiment).name == "chordal/quick"
        assert run.data.tags["chordal.run_id"] == "r1"
        assert run.data.tags["chordal.model"] == "v0001"
        assert run.data.tags["chordal.verdict"] == "promoted"
        assert run.data.params["recipe"] == "quick"
        assert run.data.params["split.test"] == "4"
        assert run.data.metrics["test_accuracy"] == 1.0
        assert run.data.metrics["test_recall/high"] == 1.0
        # the trials below it
        children = client.search_runs(
            [tracked.experiment], filter_string=f"tags.`mlflow.parentRunId` = '{tracked.run}'"
        )
        [done] = [child for child in children if child.info.status == "FINISHED"]
        [failed] = [child for child in children if child.info.status == "FAILED"]
        assert done.data.params["rate"] == "0.1"
        assert done.data.metrics["validation_accuracy"] == 0.75
        curve = [(point.step, point.value) for point in client.get_metric_history(done.info.run_id, "loss")]
        assert curve == [(1, 1.0), (2, 0.5), (3, 0.25)]
        assert failed.data.tags["chordal.reason"] == "no memory"
        # the files
        assert {file.path for file in client.list_artifacts(tracked.run)} == {"model", "recipe.toml", "report.html"}
        assert {file.path for file in client.list_artifacts(tracked.run, "model/member-0")} == {
            "model/member-0/model.skops"
        }
    # and logged again it is the same
    assert mlflow_tracking.track(home, "r1", address) == tracked
    with mlflow_tracking._client(address) as client:
        assert len(client.search_runs([tracked.experiment])) == 3


def test_what_was_broken_off_is_logged_again(home, address, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mlflow_tracking._RunLogger, "_log_files", die)
        with pytest.raises(KeyboardInterrupt):
            mlflow_tracking.track(home, "r1", address)
    tracked = mlflow_tracking.track(home, "r1", address)
    with mlflow_tracking._client(address) as client:
        assert client.get_run(tracked.run).info.status == "FINISHED"
        found = client.search_runs([tracked.experiment], filter_string="tags.`chordal.run_id` = 'r1'")
        assert [run.info.run_id for run in found] == [tracked.run]


def test_an_mlflow_that_is_away_fails_no_run_and_is_remembered(home, monkeypatch):
    plan = home.ledger.plan("r1").replace(tracking="http://me:secret@127.0.0.1:1")
    monkeypatch.setattr(home.ledger, "plan", lambda _: plan)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow_tracking.log_run(home, "r1")
    tracked = home.ledger.mlflow_record("r1")
    assert tracked.address == "http://me:***@127.0.0.1:1"
    assert "does not answer" in tracked.reason
    assert "secret" not in str(tracked)


@pytest.mark.parametrize("address", ["gopher://x", "mlruns", "sqlite", ""])
def test_an_address_that_is_none_is_refused_in_one_line(home, address):
    with pytest.raises(UsageError, match=f"mlflow {address}: not an address; give http://HOST:5000 or sqlite:////"):
        mlflow_tracking.track(home, "r1", address)


def test_a_database_that_cannot_be_is_refused_in_one_line(home, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"mlflow sqlite:.* cannot be opened") as error:
        mlflow_tracking.track(home, "r1", f"sqlite:///{tmp_path}/file/mlflow.db")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "address",
    ["http://me:se/secret@h:5000", "http://me:se#secret@h:5000", "http://me:12?secret@h", "https://me:12/secret@h"],
)
def test_an_address_that_its_password_breaks_is_refused_with_the_codes(address):
    with pytest.raises(UsageError, match=r"mlflow https?://me:.*: not an address; .* as %40 %3A %2F") as caught:
        mlflow_tracking.require_client(address)
    assert "secret" not in str(caught.value)
