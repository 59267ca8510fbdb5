"""Trials and the end of a study: honest choices, one look at the test, a classifier that can be used."""

import numpy as np
import pytest

from pipeline.errors import StoreError, UsageError
from pipeline.learning.models import load_model
from pipeline.learning.search.plan import propose_trials
from pipeline.learning.splits import make_split
from pipeline.learning.study.results import EvaluationReport
from pipeline.learning.study.trials import FitReport, TrialOutcome
from pipeline.learning.training.final import finish_study
from pipeline.learning.training.trial import run_trial
from pipeline.plans.split import SplitPlan

pytestmark = pytest.mark.slow

KEY = "frame_stats-000000000000"


class Study:
    """A recipe over a library, as far as the trials."""

    def __init__(self, library, recipe, seed=0):
        self.recipe, self.source, self.seed = recipe, library.source, seed
        self.manifest = library.manifest()
        self.split = make_split(self.manifest, recipe.split, seed=seed)
        self.trials = propose_trials(recipe, run_id="run-1", seed=seed)
        self.source.requested.clear()

    def run(self, spec):
        return run_trial(spec, self.recipe, self.manifest, self.split, self.source)

    def outcomes(self):
        return [self.run(spec) for spec in self.trials]

    def finish(self, outcomes, folder, **more):
        options = {"created": "2026-01-01T00:00:00+00:00", "seed": self.seed} | more
        return finish_study(self.recipe, self.manifest, self.split, outcomes, self.source, folder, **options)


def without_times(value):
    wire = value.to_wire()
    return {key: v for key, v in wire.items() if key not in {"seconds", "fits"}}


def test_a_trial_validates_on_every_partition(blobs, recipe):
    study = Study(blobs(folds=4), recipe("logistic"))

    (outcome,) = study.outcomes()

    assert outcome.state == "completed"
    assert [fit.partition for fit in outcome.fits] == ["1", "2", "3", "4"]
    assert outcome.objective == pytest.approx(np.mean([fit.validation_accuracy for fit in outcome.fits]))
    assert sum(np.sum(fit.validation_confusion) for fit in outcome.fits) == 36


def test_a_trial_never_asks_for_the_rows_of_test_tracks(blobs, recipe):
    study = Study(blobs(), recipe("logistic", "svm"))
    tested = {study.manifest.tracks[position].content_hash for position in study.split.partitions[0].test}

    study.outcomes()

    assert tested
    assert tested.isdisjoint(study.source.requested)


def test_rows_of_a_tested_fold_change_nothing_in_what_was_chosen_for_it(blobs, recipe):
    plain = blobs(folds=4, apart=1.0)
    poisoned = blobs(folds=4, apart=1.0)
    for track in poisoned.scanned:
        if track.fold == "2":
            content = poisoned.source.records[track.track_id].content_hash
            poisoned.source.stored[KEY, content].values[:] = 1e6
    made = recipe("svm", "logistic", trials=6)
    reports = []
    for library in (plain, poisoned):
        study = Study(library, made)
        outcomes = study.outcomes()
        reports.append([next(f for f in o.fits if f.partition == "2") for o in outcomes])

    assert [(f.validation_accuracy, f.validation_log_loss) for f in reports[0]] == [
        (f.validation_accuracy, f.validation_log_loss) for f in reports[1]
    ]


def test_a_trial_that_cannot_be_fitted_is_a_failed_outcome_with_its_reason(blobs, recipe):
    study = Study(blobs(), recipe("cnn_segments"))

    (outcome,) = study.outcomes()

    assert outcome.state == "failed"
    assert outcome.reason.startswith("ValueError: cnn_segments needs rows that are matrices")
    assert outcome.fits == ()


def test_a_store_that_does_not_answer_is_no_failed_trial(blobs, recipe):
    study = Study(blobs(), recipe("logistic"))
    study.source.rows = lambda *_: (_ for _ in ()).throw(StoreError("disk is gone"))

    with pytest.raises(StoreError):
        study.run(study.trials[0])


def test_when_every_trial_failed_the_first_reason_is_reported(blobs, recipe, tmp_path):
    study = Study(blobs(), recipe("cnn_segments"))

    with pytest.raises(UsageError, match="every trial failed; the first: ValueError: cnn_segments needs"):
        study.finish(study.outcomes(), tmp_path)


def test_a_study_without_folds_delivers_the_very_classifier_it_tested(blobs, recipe, tmp_path):
    study = Study(blobs(), recipe("svm", "logistic", trials=4, ensemble=2))

    report = study.finish(study.outcomes(), tmp_path)

    partition = study.split.partitions[0]
    assert report.test.n == len(partition.test) == len(report.predictions)
    assert report.validation.n == len(partition.validation)
    classifier = load_model(tmp_path)
    rows = [study.source.stored[KEY, study.manifest.tracks[p].content_hash].values for p in partition.test]
    np.testing.assert_allclose(
        classifier.probabilities({KEY: rows}), [p.probabilities for p in report.predictions], atol=1e-6
    )
    assert classifier.classes == report.classes
    assert classifier.features == report.model.features == (KEY,)
    assert report.model.version == ""
    assert len(report.model.members) == 2
    assert report.model.family.startswith("ensemble(")


def test_with_folds_every_track_is_tested_once_by_models_that_never_saw_it(blobs, recipe, tmp_path):
    study = Study(blobs(folds=4), recipe("logistic", trials=2))

    report = study.finish(study.outcomes(), tmp_path)

    assert report.test.n == 36
    assert sorted(p.track_id for p in report.predictions) == sorted(t.track_id for t in study.manifest.tracks)
    assert {p.partition for p in report.predictions} == {"1", "2", "3", "4"}
    assert sum(scores.n for scores in report.per_partition.values()) == 36
    assert report.test.accuracy > 0.8
    assert report.model.test_accuracy == report.test.accuracy
    everything = [study.source.stored[KEY, track.content_hash].values for track in study.manifest.tracks]
    assert load_model(tmp_path).probabilities({KEY: everything}).shape == (36, 3)


def test_labels_that_mean_nothing_score_like_guessing(blobs, recipe, tmp_path):
    study = Study(blobs(count=90, apart=0.0, folds=5), recipe("svm", "logistic", trials=6, ensemble=2))

    assert study.finish(study.outcomes(), tmp_path).test.accuracy < 0.5


def outcome_of(spec, accuracies, losses):
    fits = tuple(
        FitReport(
            partition=name,
            validation_accuracy=accuracy,
            validation_log_loss=losses[name],
            validation_confusion=((4, 0, 0), (0, 4, 0), (0, 0, 4)),
            epochs=0,
            seconds=0.0,
            parameters=1,
        )
        for name, accuracy in accuracies.items()
    )
    return TrialOutcome(spec=spec, state="completed", objective=float(np.mean(list(accuracies.values()))), fits=fits)


def test_each_partition_chooses_by_its_own_validation_then_log_loss_then_index(blobs, recipe, tmp_path):
    study = Study(blobs(folds=3), recipe("logistic", trials=3))
    even = {"1": 1.0, "2": 1.0, "3": 1.0}
    outcomes = [
        outcome_of(study.trials[0], {"1": 0.9, "2": 0.5, "3": 0.7}, even),
        outcome_of(study.trials[1], {"1": 0.5, "2": 0.5, "3": 0.7}, even | {"3": 0.5}),
        outcome_of(study.trials[2], {"1": 0.6, "2": 0.4, "3": 0.7}, even),
    ]

    report = study.finish(outcomes, tmp_path)

    assert report.chosen == {"1": (0,), "2": (0,), "3": (1,)}
    assert [member.index for member in report.model.members] == [0]


def test_a_failed_trial_is_never_chosen(blobs, recipe, tmp_path):
    study = Study(blobs(), recipe("cnn_segments", "logistic"))

    report = study.finish(study.outcomes(), tmp_path)

    assert report.chosen == {"holdout": (1,)}


def test_a_whole_study_repeats_from_its_seed(blobs, recipe, tmp_path):
    made = recipe(
        "dense_search", "svm", trials=3, ensemble=2, fixed={"dense_search": {"epochs": 4}}, split=SplitPlan(test=0.3)
    )
    reports = []
    for number in range(2):
        study = Study(blobs(), made, seed=7)
        reports.append(without_times(study.finish(study.outcomes(), tmp_path / str(number))))

    assert reports[0] == reports[1]


@pytest.mark.parametrize("refit", [True, False])
def test_refitting_learns_from_validation_tracks_too(blobs, recipe, tmp_path, refit):
    study = Study(blobs(), recipe("logistic", refit=refit))
    study.finish(study.outcomes(), tmp_path)
    partition = study.split.partitions[0]
    learned = (*partition.train, *partition.validation) if refit else partition.train

    (member,) = load_model(tmp_path).models

    rows = [study.source.stored[KEY, study.manifest.tracks[p].content_hash].values for p in learned]
    np.testing.assert_allclose(member.mean, np.concatenate(rows).mean(axis=0), rtol=1e-4, atol=1e-6)


def test_a_track_without_rows_is_tested_with_the_class_shares(blobs, recipe, tmp_path):
    library = blobs(folds=3)
    library.add("silent.wav", "class 0", np.zeros((0, 6)), fold="1")
    study = Study(library, recipe("logistic"))

    report = study.finish(study.outcomes(), tmp_path)

    assert report.test.n == 37
    (silent,) = [p for p in report.predictions if p.path.endswith("silent.wav")]
    assert silent.probabilities == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    everything = [np.zeros((0, 6), np.float32), np.full((1, 6), np.nan, np.float32)]
    assert load_model(tmp_path).probabilities({KEY: everything}) == pytest.approx(np.tile([13, 12, 12], (2, 1)) / 37)


def test_progress_is_reported_step_by_step(blobs, recipe, tmp_path):
    study = Study(blobs(folds=3), recipe("logistic"))
    options = []

    study.finish(study.outcomes(), tmp_path, progress=lambda done, total, text: options.append((done, total, text)))

    assert options == [
        (1, 4, "tested: 1"),
        (2, 4, "tested: 2"),
        (3, 4, "tested: 3"),
        (4, 4, "fitted on all tracks"),
    ]


def test_a_folder_without_a_classifier_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no classifier\.json in it"):
        load_model(tmp_path)


def test_a_damaged_classifier_is_refused(tmp_path):
    (tmp_path / "classifier.json").write_text("{", "utf-8")

    with pytest.raises(UsageError, match="not valid JSON"):
        load_model(tmp_path)


def test_outcomes_and_reports_survive_the_wire(blobs, recipe, tmp_path):
    study = Study(blobs(folds=3), recipe("logistic"))
    outcomes = study.outcomes()
    report = study.finish(outcomes, tmp_path)

    assert [TrialOutcome.from_wire(outcome.to_wire()) for outcome in outcomes] == outcomes
    assert EvaluationReport.from_wire(report.to_wire()) == report
