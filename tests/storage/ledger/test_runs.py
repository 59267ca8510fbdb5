"""The ledger keeps each fact of a run once, whoever tells it how often."""

import os
import time

import pytest

from pipeline.errors import StoreError, UsageError
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack, Partition, Split
from pipeline.learning.study.oracle_state import OracleState
from pipeline.learning.study.results import ClassScores, EvaluationReport, ModelVersion, Scores
from pipeline.learning.study.trials import Execution, PlannedModel, StudyPlan, TrialOutcome, TrialSpec
from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.run import RunPlan, ShardSummary
from storage import RunLedger
from tests.storage import workloads
from tests.storage.children import race


@pytest.fixture
def ledger(tmp_path):
    return RunLedger(tmp_path)


def plan(run_id, *, created="2026-01-01T00:00:00+00:00"):
    return RunPlan(
        run_id=run_id,
        command=("chordal", "run", "/m/\udcff"),
        libraries=("/m/\udcff",),
        recipe=Recipe(name="quick", title="Quick", models=(ModelChoice(family="dense", features="tones"),)),
        labels="folder",
        groups=None,
        folds=None,
        seed=1,
        sequence=1,
        created=created,
    )


def scanned(number):
    path = f"/m/{number}\udcff.wav"
    return ScannedTrack(track_id=track_id(path), path=path, stamp=FileStamp(size_bytes=number, mtime_ns=number))


def trial(index):
    return TrialSpec(
        run_id="run",
        index=index,
        family="dense",
        features="tones",
        hyperparameters={"width": 64, "l2": 1e-4},
        seed=index,
    )


def test_a_run_is_created_once(ledger):
    assert ledger.create(plan("run")) is True
    assert ledger.create(plan("run")) is False
    assert ledger.plan("run") == plan("run")
    with pytest.raises(UsageError, match="another run of that id"):
        ledger.create(plan("run").replace(seed=2))


def test_runs_are_listed_newest_last(ledger):
    assert ledger.run_ids() == []
    for run_id, created in (("b", "2026-01-03"), ("a", "2026-01-01"), ("c", "2026-01-02")):
        ledger.create(plan(run_id, created=created))
    assert ledger.run_ids() == ["a", "c", "b"]


def test_a_clock_that_was_set_back_makes_no_later_run_look_earlier(ledger, monkeypatch):
    ids = []
    for run_id, hour in (("b", 5), ("a", 2), ("c", 3)):
        monkeypatch.setattr(time, "time_ns", lambda hour=hour: hour * 3_600_000_000_000)
        created = f"2026-01-01T{hour:02d}:00:00+00:00"
        ledger.create(plan(run_id, created=created).replace(sequence=ledger.next_sequence()))
        ids.append(run_id)
    assert ledger.run_ids() == ids
    sequences = [ledger.plan(run_id).sequence for run_id in ids]
    assert sequences == [18_000_000, 18_000_001, 18_000_002]


@pytest.mark.parametrize("run_id", ["missing", "../..", ""])
def test_an_unknown_run_is_refused_in_one_line(ledger, run_id):
    ledger.create(plan("run"))
    with pytest.raises(UsageError):
        ledger.plan(run_id)


def test_shards_are_there_before_the_walk_is_over(ledger):
    tracks = tuple(scanned(number) for number in range(1000))
    assert ledger.write_shard("run", 0, tracks) is True
    assert ledger.write_shard("run", 0, ()) is False
    assert ledger.shard("run", 0) == tracks
    assert (ledger.shards("run"), ledger.shard_count("run")) == ([0], None)
    assert ledger.close_scan("run", 1) is True
    assert ledger.close_scan("run", 7) is False
    assert ledger.shard_count("run") == 1
    with pytest.raises(StoreError, match="00001"):
        ledger.shard("run", 1)


def test_a_shard_is_sealed_once(ledger):
    first = ShardSummary(shard=3, extracted=10, audio_s=2.5)
    assert ledger.seal("run", first) is True
    assert ledger.seal("run", ShardSummary(shard=3, unchanged=10)) is False
    ledger.seal("run", ShardSummary(shard=0))
    assert ledger.summaries("run") == {0: ShardSummary(shard=0), 3: first}
    assert ledger.sealed_shards("run") == [0, 3]


def test_of_many_processes_exactly_one_gets_each_claim(tmp_path, processes):
    claimers, won = race(processes, workloads.claim, [(tmp_path,)] * 4)
    assert sorted(number for numbers in won for number in numbers) == list(range(20))
    taker = RunLedger(tmp_path).claim_of("run", "step-0")
    assert taker is not None
    assert taker.pid in {process.pid for process in claimers}
    assert RunLedger(tmp_path).claim_of("run", "other") is None


def test_what_learning_settles_is_read_back(ledger):
    assert (ledger.manifest("run"), ledger.split("run"), ledger.study("run")) == (None, None, None)
    manifest = DatasetManifest(
        run_id="run",
        families={"tones": "tones-0123456789ab"},
        classes=("a", "b"),
        tracks=(DatasetTrack(track_id="0" * 32, content_hash="1" * 32, path="/m/\udcff", label="a"),),
    )
    split = Split(
        strategy="grouped",
        seed=1,
        groups=1,
        partitions=(Partition(name="holdout", train=(0,), validation=(), test=()),),
    )
    model = PlannedModel(name="00-dense", family="dense", features="tones", oracle="random", trials=(0, 1))
    study = StudyPlan(strategy="random", models=(model,))
    for _ in range(2):
        ledger.put_manifest(manifest)
        ledger.put_split("run", split)
        ledger.put_study("run", study)
    assert (ledger.manifest("run"), ledger.split("run"), ledger.study("run")) == (manifest, split, study)


def test_a_trial_is_handed_out_once(ledger):
    assert (ledger.trial("run", 1), ledger.trials("run")) == (None, ())
    assert ledger.put_trial(trial(1)) is True
    assert ledger.put_trial(trial(1).replace(seed=9)) is False
    ledger.put_trial(trial(0))
    assert ledger.trial("run", 1) == trial(1)
    assert ledger.trials("run") == (trial(0), trial(1))


def test_the_next_version_of_an_oracle_is_written_once_and_the_newest_is_read(ledger):
    assert ledger.oracle("run", "00-dense") is None
    for version in range(1, 12):
        assert ledger.put_oracle("run", "00-dense", OracleState(version=version, state={"seed": version})) is True
    assert ledger.put_oracle("run", "00-dense", OracleState(version=11)) is False
    assert ledger.oracle("run", "00-dense").state == {"seed": 11}
    assert ledger.oracle("run", "01-dense") is None


def test_every_start_of_a_trial_is_kept_and_numbered(ledger):
    assert [ledger.start_trial("run", 3) for _ in range(3)] == [1, 2, 3]
    assert ledger.start_trial("run", 4) == 1
    first, *_ = ledger.starts("run", 3)
    assert (first.trial, first.attempt, first.pid) == (3, 1, os.getpid())
    assert len(ledger.starts("run", 3)) == 3
    assert ledger.starts("run", 5) == []


def test_an_execution_ends_once(ledger):
    first = Execution(trial=3, number=1, seed=5, state="completed", objective=0.5)
    assert ledger.put_execution("run", first) is True
    assert ledger.put_execution("run", first.replace(objective=0.9)) is False
    ledger.put_execution("run", first.replace(number=0))
    ledger.put_execution("run", first.replace(trial=4))
    assert ledger.executions("run", 3) == [first.replace(number=0), first]


def test_a_run_of_before_there_were_oracles_still_opens(tmp_path, ledger):
    # given a ledger as it was written then: all trials in one document, no study
    folder = tmp_path / "runs" / "run"
    folder.mkdir(parents=True)
    spec = '{"run_id":"run","index":%d,"family":"%s","features":"tones","hyperparameters":{"c":0.5},"seed":%d}'
    specs = ",".join(spec % (index, family, index) for index, family in enumerate(("dense", "svm", "dense")))
    (folder / "trials.json").write_text('{"specs":[' + specs + "]}", "utf-8")
    (folder / "outcomes").mkdir()
    outcome = '{"spec":' + spec % (0, "dense", 0) + ',"state":"completed","objective":0.5,"fits":[],"seconds":1.0}'
    (folder / "outcomes" / "0000.json").write_text(outcome, "utf-8")
    # then
    study = ledger.study("run")
    assert (study.strategy, study.indices) == ("random", (0, 1, 2))
    assert [(model.family, model.trials) for model in study.models] == [("dense", (0, 2)), ("svm", (1,))]
    assert [spec.family for spec in ledger.trials("run")] == ["dense", "svm", "dense"]
    assert ledger.trial("run", 1).seed == 1
    assert ledger.trial("run", 7) is None
    assert (ledger.outcome("run", 0).attempts, ledger.outcome("run", 0).executions) == (1, ())


def test_a_trial_ends_once(ledger):
    first = TrialOutcome(spec=trial(10), state="completed", objective=0.75)
    assert ledger.put_outcome(first) is True
    assert ledger.put_outcome(first.replace(objective=0.5)) is False
    other = TrialOutcome(spec=trial(2), state="failed", reason="it did not converge", objective=float("nan"))
    ledger.put_outcome(other)
    assert [outcome.spec.index for outcome in ledger.outcomes("run")] == [2, 10]
    assert ledger.ended_trials("run") == [2, 10]
    assert ledger.outcome("run", 10) == first
    assert ledger.outcome("run", 3) is None


def test_the_report_is_read_back(ledger):
    scores = Scores(
        accuracy=1.0,
        macro_f1=1.0,
        n=1,
        per_class={"a": ClassScores(precision=1.0, recall=1.0, f1=1.0, n=1)},
        confusion=((1,),),
    )
    report = EvaluationReport(
        run_id="run",
        classes=("a",),
        validation=scores,
        test=scores,
        per_partition={"holdout": scores},
        chosen={"holdout": (0,)},
        predictions=(),
        seconds=1.5,
        model=ModelVersion(
            version="v0001",
            run_id="run",
            recipe="quick",
            family="dense",
            features=("tones-0123456789ab",),
            classes=("a",),
            members=(trial(0),),
            dataset_digest="0" * 32,
            created="2026-01-01",
            test_accuracy=1.0,
            seed=1,
        ),
    )
    assert ledger.report("run") is None
    assert ledger.put_report(report) is True
    assert ledger.put_report(report) is False
    assert ledger.report("run") == report


def test_the_first_reason_of_a_failure_stays(ledger):
    assert ledger.failure("run") is None
    assert ledger.fail("run", "only one class") is True
    assert ledger.fail("run", "something later") is False
    assert ledger.failure("run") == "only one class"


def test_a_run_has_a_folder_for_logs(ledger):
    assert ledger.logs("run").is_dir()
    assert ledger.logs("run").parent == ledger.path("run")
    assert ledger.run_ids() == [], "a folder without a plan is no run"


def test_a_run_that_is_forgotten_is_gone_and_its_id_is_free(ledger):
    ledger.create(plan("r1"))
    ledger.claim("r1", "learning")
    ledger.remove("r1")
    assert ledger.run_ids() == []
    assert not ledger.path("r1").exists()
    ledger.remove("r1")
    assert ledger.create(plan("r1"))
    assert ledger.claim("r1", "learning")


def test_runs_are_told_apart_by_what_they_are_for(ledger):
    ledger.create(plan("r1"))
    ledger.create(plan("p1", created="2030-01-01T00:00:00+00:00").replace(purpose="predict"))
    assert ledger.run_ids() == ["r1", "p1"]
    assert ledger.run_ids("predict") == ["p1"]
    assert ledger.run_ids("library") == ["r1"]
