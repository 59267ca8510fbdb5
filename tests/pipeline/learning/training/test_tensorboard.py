"""TensorBoard logs: read back by TensorBoard's own reader, and never a reason for a trial to fail."""

import subprocess
import sys

import pytest

from pipeline.learning.models.callbacks import report_epoch
from pipeline.learning.search.plan import propose_trials
from pipeline.learning.splits import make_split
from pipeline.learning.study.trials import Execution, TrialSpec
from pipeline.learning.training.tensorboard import EventFile, TrialLog
from pipeline.learning.training.trial import run_trial
from pipeline.plans.split import SplitPlan

SPEC = TrialSpec(
    run_id="r", index=3, family="svm", features="stats", hyperparameters={"c": 1.5, "on": True, "kind": "rbf"}, seed=7
)


def events(folder):
    """Return the events of a folder's files, without those below it."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    return [event for path in sorted(folder.glob("events.out.*")) for event in LegacyEventFileLoader(str(path)).Load()]


def scalars(folder):
    """Return (tag, step, value) of a folder's files."""
    rows = [(value.tag, event.step, value.simple_value) for event in events(folder) for value in event.summary.value]
    return [(tag, step, pytest.approx(value, rel=1e-6)) for tag, step, value in rows if not tag.startswith("_")]


def hyperparameters(folder):
    """Return what TensorBoard's HParams page shows of a folder."""
    from tensorboard.plugins.hparams import metadata

    [session] = [
        metadata.parse_session_start_info_plugin_data(value.metadata.plugin_data.content)
        for event in events(folder)
        for value in event.summary.value
        if value.tag == metadata.SESSION_START_INFO_TAG
    ]
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in session.hparams.items()}


def test_epochs_are_there_as_they_end_training_and_validation_apart(tmp_path):
    log = TrialLog(tmp_path, SPEC)
    with log.log_epochs(0, "fold 1/2"):
        report_epoch(0, {"loss": 1.0, "accuracy": 0.5, "val_loss": 2.0, "val_accuracy": 0.25})
        assert len(scalars(tmp_path / "execution-0" / "fold_1_2" / "train")) == 2
        report_epoch(1, {"loss": 0.5, "accuracy": 0.75, "val_loss": 1.5, "val_accuracy": 0.5})
    report_epoch(2, {"loss": 0.1})  # nobody listens any more

    folder = tmp_path / "execution-0" / "fold_1_2"
    assert scalars(folder / "train") == [
        ("epoch_loss", 0, 1.0),
        ("epoch_accuracy", 0, 0.5),
        ("epoch_loss", 1, 0.5),
        ("epoch_accuracy", 1, 0.75),
    ]
    assert scalars(folder / "validation")[-2:] == [("epoch_loss", 1, 1.5), ("epoch_accuracy", 1, 0.5)]


def test_hyper_parameters_and_the_score_stand_in_the_trials_folder(tmp_path):
    log = TrialLog(tmp_path, SPEC)
    log.begin()
    log.log_score(Execution(trial=3, number=0, seed=7, state="completed", objective=0.75))
    log.log_score(Execution(trial=3, number=1, seed=8, state="failed"))

    assert hyperparameters(tmp_path) == {"model": "svm", "features": "stats", "c": 1.5, "on": True, "kind": "rbf"}
    assert scalars(tmp_path) == [("validation_accuracy", 0, 0.75)]


def test_a_trial_that_begins_again_leaves_no_doubled_curve(tmp_path):
    for _ in range(2):
        log = TrialLog(tmp_path, SPEC)
        log.begin()
        with log.log_epochs(0, "holdout"):
            report_epoch(0, {"loss": 1.0})

    assert scalars(tmp_path / "execution-0" / "holdout" / "train") == [("epoch_loss", 0, 1.0)]
    assert hyperparameters(tmp_path)["model"] == "svm"


@pytest.mark.parametrize("family", ["dense_search", "logistic"])
def test_every_trial_has_logs_also_of_a_model_without_epochs(blobs, recipe, tmp_path, family):
    library = blobs(count=18)
    made = recipe(family, fixed={"dense_search": {"epochs": 3}}, split=SplitPlan(test=0.3))
    manifest = library.manifest()
    (spec,) = propose_trials(made, run_id="run-1", seed=1)

    outcome = run_trial(spec, made, manifest, make_split(manifest, made.split, seed=1), library.source, logs=tmp_path)

    assert hyperparameters(tmp_path)["model"] == family
    assert scalars(tmp_path) == [("validation_accuracy", 0, outcome.objective)]
    curves = outcome.fits[0].curves
    for side, prefix in (("train", ""), ("validation", "val_")):
        session = [row for row in scalars(tmp_path / "execution-0" / "holdout" / side) if row[0] == "epoch_loss"]
        assert session == [("epoch_loss", step, value) for step, value in enumerate(curves.get(f"{prefix}loss", ()))]


def test_logs_that_cannot_be_written_are_reported_once_and_cost_no_trial(tmp_path, caplog):
    (tmp_path / "taken").write_text("a file where a folder should be", "utf-8")
    file = EventFile(tmp_path / "taken")
    for step in range(3):
        file.scalars({"x": 1.0}, step=step)

    assert caplog.text.count("no TensorBoard log in") == 1


def test_they_are_written_without_tensorflow_and_missed_without_the_package_tensorboard(tmp_path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "{block}"
        "from pipeline.learning.training.tensorboard import TrialLog\n"
        "from pipeline.learning.study.results import TrialSpec\n"
        "spec = TrialSpec(run_id='r', index=0, family='svm', features='x', hyperparameters=dict(c=1.0), seed=1)\n"
        "TrialLog(Path(sys.argv[1]), spec).begin()\n"
        "assert not {{'tensorflow', 'keras'}} & set(sys.modules)\n"
    )
    for block, files in (("", 1), ("sys.modules['tensorboard'] = None\n", 0)):
        folder = tmp_path / str(files)
        command = [sys.executable, "-c", program.format(block=block), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert len(list(folder.glob("events.out.*"))) == files
        assert ("no TensorBoard log" in done.stderr) == (not files)
