"""What a finished study tells beside its accuracy, for every way of parting it."""

import dataclasses

import numpy as np
import pytest

from pipeline.learning.models import LabelledRows, load_model, model_family
from pipeline.learning.search.plan import propose_trials
from pipeline.learning.splits import make_split
from pipeline.learning.study.findings import AnswerRule
from pipeline.learning.study.results import EvaluationReport
from pipeline.learning.training.final import finish_study
from pipeline.learning.training.fit import balance_classes
from pipeline.learning.training.trial import run_trial
from pipeline.plans.recipe import AnswerPlan, ModelChoice, Recipe, TrainingPlan
from pipeline.plans.split import SplitPlan

pytestmark = pytest.mark.slow

KEY = "frame_stats-000000000000"


@pytest.fixture
def study(recipe, tmp_path):
    """A function that runs a study of logistic models over a library: its split, outcomes, report and folder."""

    def run(library, *families, seed=0, answer=None, training=None, **more):
        made = recipe(*(families or ("logistic",)), **more)
        made = made.replace(answer=answer or AnswerPlan(), training=training or TrainingPlan())
        manifest = library.manifest()
        split = make_split(manifest, made.split, seed=seed, source=library.source)
        library.source.requested.clear()
        specs = propose_trials(made, run_id="run-1", seed=seed)
        outcomes = [run_trial(spec, made, manifest, split, library.source) for spec in specs]
        report = finish_study(
            made, manifest, split, outcomes, library.source, tmp_path, created="2026-01-01T00:00:00+00:00", seed=seed
        )
        return Ran(split=split, outcomes=outcomes, report=report, manifest=manifest)

    return run


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ran:
    split: object
    outcomes: list
    report: EvaluationReport
    manifest: object


def test_k_folds_test_every_track_once_and_choose_by_their_own_validation(blobs, study):
    ran = study(blobs(), split=SplitPlan(strategy="kfold", k=3))

    assert sorted(p.track_id for p in ran.report.predictions) == sorted(t.track_id for t in ran.manifest.tracks)
    assert list(ran.report.per_partition) == ["1", "2", "3"]
    assert [len(outcome.fits) for outcome in ran.outcomes] == [3]


def test_nested_folds_choose_by_inner_folds_and_test_every_track_once(blobs, study):
    library = blobs(apart=1.2)
    ran = study(library, "logistic", "svm", trials=4, split=SplitPlan(strategy="nested", k=3, inner=2))

    assert [fit.partition for fit in ran.outcomes[0].fits] == ["1.1", "1.2", "2.1", "2.2", "3.1", "3.2"]
    assert sorted(p.track_id for p in ran.report.predictions) == sorted(t.track_id for t in ran.manifest.tracks)
    # Every track that an outer fold does not test was validated once for it.
    assert ran.report.validation.n == 2 * 36
    for number, name in enumerate(("1", "2", "3")):
        inner = [
            np.mean([fit.validation_accuracy for fit in outcome.fits if fit.partition.startswith(f"{name}.")])
            for outcome in ran.outcomes
        ]
        (chosen,) = ran.report.chosen[name]
        assert inner[chosen] == max(inner)
        assert ran.split.rounds[number].name == name


def test_some_folds_that_train_and_others_that_test_make_one_test(blobs, study, tmp_path):
    ran = study(blobs(folds=4), split=SplitPlan(test_folds=(4,)))

    assert ran.report.test.n == sum(track.fold == "4" for track in ran.manifest.tracks)
    assert list(ran.report.per_partition) == ["4"]
    assert load_model(tmp_path).classes == ran.report.classes


def test_a_study_of_rows_scores_rows_and_delivers_a_classifier_of_tracks(blobs, study, tmp_path):
    library = blobs(6, rows=40, apart=1.0)

    ran = study(library, split=SplitPlan(strategy="rows", test=0.25, validation=1 / 3))

    report = ran.report
    assert report.scored == "rows"
    assert (report.test.n, report.validation.n) == (60, 60)
    assert {p.path for p in report.predictions} == {track.path for track in ran.manifest.tracks}
    assert len({(p.track_id, p.row) for p in report.predictions}) == 60
    # Rows of six tracks are no sixty independent ones.
    assert report.test.accuracy_interval.units == 6
    assert report.sentinel.tracks == 6
    assert report.sentinel.honest is not None
    assert report.model.dataset_digest == ran.manifest.digest
    classifier = load_model(tmp_path)
    assert classifier.card.answering == AnswerRule()
    everything = [library.source.stored[KEY, track.content_hash].values for track in ran.manifest.tracks]
    assert classifier.probabilities({KEY: everything}).argmax(axis=1).tolist() == [0, 1, 2, 0, 1, 2]


def test_a_study_of_rows_repeats_from_its_seed(blobs, study):
    first, again = (study(blobs(6, rows=20, apart=0.5), split=SplitPlan(strategy="rows")).report for _ in range(2))

    assert first.predictions == again.predictions


def test_tracks_are_scored_beside_their_rows(blobs, study):
    ran = study(blobs(60, rows=8, apart=0.8))

    segments = ran.report.segments["frame_stats"]
    assert segments.n == 8 * ran.report.test.n
    assert segments.accuracy < ran.report.test.accuracy
    assert segments.accuracy_interval.units == ran.report.test.accuracy_interval.units == ran.report.test.n


def test_tracks_of_one_row_have_no_scores_of_rows(blobs, study):
    assert study(blobs(rows=1)).report.segments == {}


def test_scores_have_intervals_over_groups_everywhere(blobs, study):
    ran = study(blobs(60, apart=1.0), split=SplitPlan(strategy="kfold", k=3))

    for scores in (ran.report.test, ran.report.validation, *ran.report.per_partition.values()):
        assert scores.accuracy_interval.low <= scores.accuracy <= scores.accuracy_interval.high
    assert ran.report.test.accuracy_interval.units == 60


def test_the_delivered_classifier_is_calibrated_as_the_report_says(blobs, study, tmp_path):
    library = blobs(90, apart=1.0)
    ran = study(library, "svm", trials=2, split=SplitPlan(test=0.4, validation=0.4))

    calibration, classifier = ran.report.calibration, load_model(tmp_path)
    assert classifier.card.answering == calibration.delivered == calibration.per_partition["holdout"]
    assert calibration.fitted_on == len(ran.split.partitions[0].validation)
    rows = [
        library.source.stored[KEY, ran.manifest.tracks[p].content_hash].values for p in ran.split.partitions[0].test
    ]
    probabilities = classifier.probabilities({KEY: rows})
    np.testing.assert_allclose(probabilities, [p.probabilities for p in ran.report.predictions], atol=1e-6)
    assert classifier.unsure(probabilities).tolist() == [p.unsure for p in ran.report.predictions]
    answered = [p for p in ran.report.predictions if not p.unsure]
    assert (calibration.answered, calibration.n) == (len(answered), ran.report.test.n)
    assert calibration.right == sum(p.label == p.truth for p in answered)
    assert calibration.coverage == len(answered) / ran.report.test.n


def test_a_recipe_can_ask_for_answers_always_and_for_no_temperature(blobs, study, tmp_path):
    ran = study(blobs(apart=0.5), answer=AnswerPlan(calibrate=False, coverage=1.0))

    assert load_model(tmp_path).card.answering == AnswerRule()
    assert not any(p.unsure for p in ran.report.predictions)
    assert ran.report.calibration.before == ran.report.calibration.after
    assert ran.report.calibration.accuracy == ran.report.test.accuracy


def test_a_higher_aim_leaves_more_unsure(blobs, study):
    aims = {
        aim: study(blobs(120, apart=0.7), answer=AnswerPlan(accuracy=aim, coverage=0.2)).report.calibration
        for aim in (0.5, 0.95)
    }

    assert aims[0.95].coverage < aims[0.5].coverage
    assert aims[0.95].accuracy > aims[0.5].accuracy


def test_folds_are_calibrated_by_their_own_validation_alone(blobs, study):
    """What a fold's test tracks are worth to other folds' validation has no say in how they are read."""
    library = blobs(48, folds=4, apart=1.0)
    ran = study(library)
    rules = ran.report.calibration.per_partition

    poisoned = blobs(48, folds=4, apart=1.0)
    for track in poisoned.scanned:
        if track.fold == "1":
            content = poisoned.source.records[track.track_id].content_hash
            poisoned.source.stored[KEY, content].values[:] *= -3
    again = study(poisoned).report.calibration.per_partition

    assert again["1"] == rules["1"]
    assert again["4"] != rules["4"]


def test_the_sentinel_runs_after_the_choice_and_changes_no_other_number(blobs, study, monkeypatch):
    plain = study(blobs(rows=4)).report
    from pipeline.learning.training import final_evaluation

    monkeypatch.setattr(final_evaluation, "run_sentinel", lambda *_, **__: None)
    without = study(blobs(rows=4)).report

    assert plain.sentinel is not None
    assert without.sentinel is None
    for name in ("test", "validation", "predictions", "chosen", "calibration"):
        assert getattr(plain, name) == getattr(without, name)


def test_validation_probabilities_are_recorded_so_that_nothing_is_fitted_twice(blobs, study, monkeypatch):
    from pipeline.learning.training import final_evaluation

    fits = []
    real = final_evaluation.fit_on
    monkeypatch.setattr(final_evaluation, "fit_on", lambda *args, **more: fits.append(1) or real(*args, **more))

    ran = study(blobs(), "logistic", "svm", ensemble=2)

    assert len(fits) == 2  # the refits of the two that vote
    (fit,) = ran.outcomes[0].fits
    assert np.sum(fit.validation_probabilities, axis=1) == pytest.approx(1.0)
    assert len(fit.validation_probabilities) == len(ran.split.partitions[0].validation)


def test_outcomes_of_an_older_chordal_without_probabilities_are_fitted_again(blobs, recipe, tmp_path):
    library, made = blobs(), recipe("logistic")
    manifest = library.manifest()
    split = make_split(manifest, made.split, seed=0)
    (spec,) = propose_trials(made, run_id="run-1", seed=0)
    outcome = run_trial(spec, made, manifest, split, library.source)
    old = outcome.replace(fits=tuple(fit.replace(validation_probabilities=()) for fit in outcome.fits))

    new, again = (
        finish_study(made, manifest, split, [each], library.source, tmp_path, created="now", seed=0)
        for each in (outcome, old)
    )

    assert again.validation == new.validation
    assert again.calibration.delivered.temperature == pytest.approx(new.calibration.delivered.temperature, rel=1e-4)


def test_balance_by_sampling_repeats_small_classes_until_all_are_as_large():
    x = np.arange(10, dtype=np.float32)[:, None]
    train = LabelledRows(x=x, y=np.array([0] * 7 + [2] * 3))

    drawn = balance_classes(train, "sampling", classes=3, seed=1)

    assert np.bincount(drawn.y).tolist() == [7, 0, 7]
    assert sorted(drawn.x[drawn.y == 0, 0].tolist()) == list(range(7))
    counts = np.bincount(drawn.x[drawn.y == 2, 0].astype(int))[7:]
    assert sorted(counts.tolist()) == [2, 2, 3]
    assert drawn.class_weight is None
    np.testing.assert_array_equal(drawn.weights(3), 1.0)
    np.testing.assert_array_equal(drawn.x, balance_classes(train, "sampling", classes=3, seed=1).x)


def test_balance_by_weights_lets_classes_count_the_same_and_none_lets_them_be():
    train = LabelledRows(x=np.zeros((10, 1), np.float32), y=np.array([0] * 8 + [1] * 2))

    weighted, plain = (balance_classes(train, how, classes=2, seed=0) for how in ("weights", "none"))

    assert (weighted.class_weight, plain.class_weight) == ("balanced", None)
    np.testing.assert_allclose(weighted.weights(2), [10 / 16, 10 / 4])
    np.testing.assert_allclose(plain.weights(2), 1.0)


def test_what_balanced_rows_taught_is_brought_back_to_the_shares_of_the_classes():
    train = LabelledRows(x=np.zeros((10, 1), np.float32), y=np.array([0] * 8 + [1] * 2))

    by_weights, by_rows, plain = (
        balance_classes(train, how, classes=2, seed=0).prior_ratios(2) for how in ("weights", "sampling", "none")
    )

    np.testing.assert_allclose(by_weights, [0.8 / 0.5, 0.2 / 0.5])
    np.testing.assert_allclose(by_rows, by_weights)
    np.testing.assert_allclose(plain, 1.0)
    assert dataclasses.replace(train, has_true_priors=False).prior_ratios(2).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("family", ["logistic", "boosting", "dense_stats"])
@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_the_probabilities_of_balanced_models_are_right_as_often_as_they_say(family, balance):
    random = np.random.default_rng(0)

    def drawn(count):
        y = (random.random(count) < 0.1).astype(np.int64)
        return (random.normal(1.2 * y[:, None], 1.0, (count, 4))).astype(np.float32), y

    x, y = drawn(600)
    train = balance_classes(LabelledRows(x=x, y=y), balance, classes=2, seed=1)
    choice = ModelChoice(family=family, features="frame_stats")
    chosen = propose_trials(Recipe(name="r", title="r", models=(choice,)), run_id="r", seed=0)[0].hyperparameters
    fit = model_family(family).fit(train, None, classes=2, hyperparameters=chosen, seed=1, epochs=12)

    probabilities = fit.model.probabilities(drawn(4000)[0])

    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert probabilities[:, 1].mean() == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize("family", ["logistic", "svm"])
def test_a_small_class_is_found_more_often_when_classes_are_balanced(library, study, family):
    random = np.random.default_rng(0)
    for number in range(150):
        rare = number % 10 == 0
        library.add(f"{number:03}.wav", "rare" if rare else "usual", random.normal(0.9 * rare, 1.0, (1, 4)))

    recalls = {
        how: study(
            library,
            family,
            training=TrainingPlan(balance=how, priors="balanced"),
            split=SplitPlan(strategy="kfold", k=3),
        )
        .report.test.per_class["rare"]
        .recall
        for how in ("weights", "sampling", "none")
    }

    assert min(recalls["weights"], recalls["sampling"]) > recalls["none"]


def test_a_constant_column_and_one_of_huge_equal_values_do_no_harm(library, study):
    random = np.random.default_rng(0)
    for number in range(36):
        values = random.normal(2 * (number % 2), 0.5, (2, 4))
        values[:, 1], values[:, 2] = 0.0, 1e6
        library.add(f"{number:02}.wav", "ab"[number % 2], values)

    ran = study(library, "logistic", "svm", ensemble=2)

    assert ran.manifest.constant == {"frame_stats": ("column 1", "column 2")}
    assert ran.report.test.accuracy > 0.9


def test_rows_with_nan_are_left_out_of_learning_and_testing(library, study):
    random = np.random.default_rng(0)
    for number in range(36):
        values = random.normal(2 * (number % 2), 0.5, (4, 3))
        if number % 5 == 0:
            values[1, 0], values[2, 1] = np.nan, np.inf
        library.add(f"{number:02}.wav", "ab"[number % 2], values)

    ran = study(library, split=SplitPlan(strategy="kfold", k=3))

    assert len(ran.manifest.flaws) == 8
    assert ran.report.segments["frame_stats"].n == 36 * 4 - 16
    assert ran.report.test.accuracy > 0.9


def test_a_report_survives_the_wire(blobs, study):
    for plan in (SplitPlan(), SplitPlan(strategy="nested", k=2, inner=2), SplitPlan(strategy="rows")):
        report = study(blobs(12, rows=10, apart=0.7), split=plan).report
        assert EvaluationReport.from_wire(report.to_wire()) == report


def test_the_objective_chooses_the_trial(blobs, recipe, tmp_path):
    library, made = blobs(apart=0.5), recipe("logistic", trials=2)
    made = made.replace(search=made.search.replace(objective="log_loss"))
    manifest = library.manifest()
    split = make_split(manifest, made.split, seed=0)
    outcomes = [
        run_trial(spec, made, manifest, split, library.source) for spec in propose_trials(made, run_id="run-1", seed=0)
    ]
    losses = [outcome.fits[0].validation_log_loss for outcome in outcomes]
    assert [outcome.objective for outcome in outcomes] == pytest.approx([-loss for loss in losses], rel=1e-3)

    report = finish_study(made, manifest, split, outcomes, library.source, tmp_path, created="now", seed=0)

    assert set(report.chosen.values()) == {(int(np.argmin(losses)),)}
