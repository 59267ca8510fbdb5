"""What a report says of intervals, leaks, duplicates, calibration and values that could not be used."""

import re

import pytest

from pipeline.learning.dataset.flaws import DuplicateSet, Flaw, RowSides
from pipeline.learning.splits.rows import NOTE
from pipeline.learning.study.findings import (
    AnswerRule,
    Calibration,
    Interval,
    Reliability,
    ReliabilityBin,
    Sentinel,
    SentinelGap,
    SentinelScore,
)
from pipeline.plans.recipe import TrainingPlan
from pipeline.report.write import render_report


def text(content) -> str:
    """The words of a page, without styles, pictures and tags."""
    html = re.sub(r"(?s)<style.*?</style>|<svg.*?</svg>", " ", render_report(content))
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("&#39;", "'").split())


def interval(low, high, *, method="bootstrap", units=40):
    return Interval(low=low, high=high, method=method, units=units, resamples=2000, seed=1)


def sentinel(**changes):
    known = {
        "family": "svm",
        "features": "loudness",
        "is_winner": True,
        "rows": 1800,
        "tracks": 180,
        "units": 40,
        "folds": 4,
        "learned_from": 1350,
        "tested": 1800,
        "random": SentinelScore(accuracy=0.971, interval=interval(0.96, 0.98)),
        "neighbours": SentinelScore(accuracy=0.80, interval=interval(0.75, 0.85)),
        "honest": SentinelScore(accuracy=0.81, interval=interval(0.76, 0.86)),
        "gap": SentinelGap(gap=0.161, interval=interval(0.12, 0.21)),
        "hidden": SentinelGap(gap=0.01, interval=interval(-0.01, 0.03)),
    }
    return Sentinel(**(known | changes))


def reliability(ece, loss):
    bins = (
        ReliabilityBin(confidence=0.6, accuracy=0.5, n=4),
        ReliabilityBin(confidence=0.95, accuracy=0.9, n=8),
    )
    return Reliability(ece=ece, log_loss=loss, bins=bins)


def calibration(**changes):
    warm = AnswerRule(temperature=1.7, threshold=0.62)
    known = {
        "delivered": warm,
        "per_partition": {"holdout": warm},
        "fitted_on": 60,
        "before": reliability(0.148, 0.6),
        "after": reliability(0.048, 0.4),
        "target_accuracy": 0.9,
        "least_coverage": 0.5,
        "answered": 9,
        "n": 12,
        "right": 8,
    }
    return Calibration(**(known | changes))


@pytest.fixture
def content(learned):
    """A whole run with everything an evaluation finds out."""
    test = learned.evaluation.test.replace(
        accuracy_interval=interval(0.61, 0.87), macro_f1_interval=interval(0.55, 0.85)
    )
    segments = {"loudness": test.replace(accuracy=0.6, n=120)}
    evaluation = learned.evaluation.replace(
        test=test, segments=segments, sentinel=sentinel(), calibration=calibration()
    )
    return learned.replace(evaluation=evaluation)


def with_evaluation(content, **changes):
    return content.replace(evaluation=content.evaluation.replace(**changes))


def test_the_interval_stands_wherever_the_score_does(content):
    words = text(content)

    assert "With 12 test tracks in 40 groups the accuracy lies between 61.0% and 87.0%" in words
    assert "95% interval, bootstrap over groups, 2,000 times" in words
    assert "Accuracy 75.0% 61.0% to 87.0%, n = 12" in words
    assert "Macro F1 74.3% 55.0% to 85.0%, mean over classes" in words
    assert "test, tracks 75.0% 61.0% to 87.0% 74.3% 55.0% to 85.0% \u2013 12 40" in words


def test_an_interval_says_how_it_was_made_and_one_group_has_none(content):
    few = content.evaluation.test.replace(accuracy_interval=interval(0.4, 1.0, method="t", units=6))
    perfect = content.evaluation.test.replace(accuracy_interval=interval(0.7, 1.0, method="exact"))
    one = content.evaluation.test.replace(accuracy_interval=None, macro_f1_interval=None)

    assert "in 6 groups the accuracy lies between 40.0% and 100.0% (95% interval, Student's t over groups)" in text(
        with_evaluation(content, test=few)
    )
    assert "the exact one for so many groups, as all of them agree" in text(with_evaluation(content, test=perfect))
    words = text(with_evaluation(content, test=one))
    assert "The 12 test tracks are one group, which is right or wrong together: no interval can be given" in words
    assert "Accuracy 75.0% one group: no interval, n = 12" in words
    assert "one group: no interval, mean over classes" in words
    assert "test, tracks 75.0% no interval 74.3% no interval" in words


def test_tracks_stand_beside_their_segments(content):
    words = text(content)

    assert "test, segments of loudness 60.0%" in words
    assert "A track is labelled by the mean of what is said of its segments" in words
    assert "segments" not in text(with_evaluation(content, segments={})).lower().replace("mfcc_segments", "")


def test_the_leak_is_named_with_both_scores_and_the_gap(content):
    words = text(content)

    assert "The model that was chosen (svm) was fitted again after every choice was made" in words
    assert "the same 1,800 rows tested, 1,350 learned from each time. Nothing was chosen by it." in words
    assert "Gap: +16.1 points (95% interval +12.0 to +21.0). A random split of rows would have flattered" in words
    assert "single rows at random rows of one track stand on both sides 97.1% 96.0% to 98.0%" in words
    assert "whole groups together what this project calls a score 81.0% 76.0% to 86.0%" in words
    assert "Gain of a leak +16.1 points had rows been split at random; they were not" in words


def test_a_stand_in_is_called_so_and_without_groups_nothing_is_claimed(content):
    stand_in = sentinel(is_winner=False)
    assert "Gain of a leak +16.1 points had rows been split at random, by a stand-in; they were not" in text(
        with_evaluation(content, sentinel=stand_in)
    )
    unknown = sentinel(rows=180, tracks=180, units=180)
    words = text(with_evaluation(content, sentinel=unknown))
    assert "Gain of a leak \u2013 cannot be told: no groups are known" in words
    assert "how the model does on another song, artist or source cannot be told" in words
    assert "Gap:" not in words


def test_a_gap_within_chance_is_called_so(content):
    none = sentinel(gap=SentinelGap(gap=0.004, interval=interval(-0.01, 0.02)))

    assert "no more than chance makes" in text(with_evaluation(content, sentinel=none))


def test_a_model_that_stands_in_is_called_so(content):
    words = text(with_evaluation(content, sentinel=sentinel(is_winner=False)))

    assert "A quick model that stands in for the chosen one (svm)" in words


def test_groups_without_a_name_are_suspected(content):
    hidden = sentinel(hidden=SentinelGap(gap=0.09, interval=interval(0.04, 0.13)))

    assert "with neighbours kept together the accuracy is 9.0% lower" in text(with_evaluation(content, sentinel=hidden))
    assert "neighbours kept together the accuracy" not in text(content)


def test_what_is_unknown_of_unseen_tracks_is_named(content):
    blind = sentinel(
        honest=None, gap=None, hidden=None, untold=("metal", "edm"), reason="no class has two groups: nothing"
    )

    words = text(with_evaluation(content, sentinel=blind))

    assert "No class has two groups: nothing." in words
    assert "Of metal and edm all tracks are one group: nobody can say how the model would do on unseen ones" in words
    assert "Gain of a leak \u2013 cannot be told" in words


def test_a_split_of_rows_is_denounced_on_the_first_screen_and_in_its_section(content):
    split = content.split.replace(strategy="rows", notes=(NOTE,))
    rows = with_evaluation(content, scored="rows").replace(split=split)

    words = text(rows)

    assert "75.0% of 12 test rows got the right label Segments of one track stand on both sides" in words
    assert "not of tracks it has never heard" in words
    assert "The test score is no measure of unseen tracks." in words
    assert "The score of this report, 75.0%, is one of a random split of rows." in words
    assert "no group lies on more than one side" not in words
    assert "it is not calibrated and always answers" in words


def test_rows_that_are_each_of_a_track_of_their_own_are_not_called_torn(content):
    split = content.split.replace(strategy="rows", notes=())
    sides = RowSides(train=40, validation=8, test=12, torn=0)
    rows = with_evaluation(content, scored="rows", row_sides=sides).replace(split=split)

    words = text(rows)

    assert "Segments of one track stand on both sides" not in words
    assert "what belongs together in truth, such as a song, may stand on both sides and flatter the score" in words
    assert "Each row is of a track of its own, so no track stands on both sides; groups of tracks may." in words
    assert "Rows on each side Partition Train Validation Test" in words
    assert "40 8 12" in words
    assert "Precision: of the rows given this label" in words
    assert "by validation accuracy over single rows" in words


def test_calibration_is_reported_before_and_after_with_its_source(content):
    words = text(content)

    assert "temperature scaling (Guo et al., 2017): one number, 1.70, fitted on 60 validation tracks" in words
    assert "on these tracks the model had been too sure of itself" in words
    assert "went from 14.8% to 4.8%, the log-loss from 0.600 to 0.400" in words
    assert "Expected calibration error 14.8% 4.8%" in words
    assert "Log-loss 0.600 0.400" in words
    assert "15 bins of equal width" in words
    assert "Calibration error 4.8% 14.8% before" in words
    assert 'aria-label="Reliability diagram' in render_report(content)


def test_a_calibration_that_made_things_worse_is_called_so(content):
    worse = calibration(before=reliability(0.071, 0.976), after=reliability(0.138, 1.060), groups=4)

    words = text(with_evaluation(content, calibration=worse))

    assert "fitted on 60 validation tracks in 4 groups" in words
    assert (
        "it made things worse: the expected calibration error went from 7.1% to 13.8%, the log-loss from 0.976 to 1.060"
        in words
    )
    assert "chance" not in words[words.index("made things worse") :][:400]


def test_a_calibration_error_that_rose_is_no_clear_gain_whatever_the_log_loss(content):
    mixed = calibration(before=reliability(0.071, 1.060), after=reliability(0.138, 0.976))

    words = text(with_evaluation(content, calibration=mixed))

    assert "it is no clear gain: the log-loss from 1.060 to 0.976, which is better" in words
    assert "error went from 7.1% to 13.8%, which is worse" in words


def test_when_it_is_unsure_the_rule_the_coverage_and_the_accuracy_of_answers_are_reported(content):
    words = text(content)

    assert "sure (at nine in ten) to be right in 90.0%, by a lower bound over groups of validation tracks" in words
    assert "but at least 50.0% of them get one" in words
    assert (
        "On the test 75.0% get an answer: 90.0% were asked, 88.9% of the answers are right; without the threshold 75.0%"
        in words
    )
    assert "Answered 75.0% 88.9% of them right, 90.0% asked; the rest is unsure" in words


def test_a_model_that_always_answers_is_reported_as_such(content):
    always = calibration(answered=12, right=9)

    assert "Every one of the test tracks gets an answer" in text(with_evaluation(content, calibration=always))


def test_probabilities_left_alone_are_reported_as_such(content):
    plain = calibration(delivered=AnswerRule(), per_partition={"holdout": AnswerRule()})

    assert "the recipe asks for no calibration" in text(with_evaluation(content, calibration=plain))


def test_folds_say_what_each_was_read_with(content):
    folds = {"1": AnswerRule(temperature=1.25, threshold=0.5), "2": AnswerRule(temperature=0.8)}

    words = text(with_evaluation(content, calibration=calibration(per_partition=folds)))

    assert "1 1.250 50.0% 2 0.800 0.0%" in words


def test_duplicates_are_listed_by_file_label_kind_and_distance(content):
    kinds = (
        DuplicateSet(kind="same", tracks=(0, 1)),
        DuplicateSet(kind="near", tracks=(2, 14), distance=0.0512, kept=False),
    )

    words = text(content.replace(split=content.split.replace(duplicates=kinds)))

    assert "chords/chords-00.wav, chords/chords-01.wav 2 chords same content 0 yes" in words
    assert "chords/chords-02.wav, drum loops/drum loops-02.wav 2 chords, drum loops near 0.051 no" in words
    assert "Warning: 1 set lies on several sides of the split" in words
    assert "Duplicates 4 2 on several sides" in words


def test_without_a_family_that_tells_recordings_apart_it_says_that_none_was_searched(content):
    assert "Near duplicates could not be looked for: of the families only frame_stats" in text(content)


def test_near_duplicates_say_what_they_are_and_what_they_miss(content):
    manifest = content.manifest.replace(families={"frame_stats": "frame_stats-0"})
    split = content.split.replace(duplicates=(DuplicateSet(kind="near", tracks=(0, 5), distance=0.1),))

    words = text(content.replace(manifest=manifest, split=split))

    assert "closer than 0.15 standard deviations in the columns of frame_stats" in words
    assert "not another performance, a part of a longer file, or a copy that lost its treble" in words
    # Counted again, whatever the split says of itself: one of them tests and the other trains.
    assert "Warning: 1 set of near duplicates found on more than one side" in words
    assert "2 tracks that sound the same, in 1 set." in words


def test_values_that_could_not_be_used_are_named_by_file_family_and_column(content):
    flaw = Flaw(path="/music/demo/tones/tones-03.wav", features="timbre", columns=("c3", "c7"), rows=2, of=9)
    manifest = content.manifest.replace(flaws=(flaw,), constant={"timbre": ("c0", "c1")})

    words = text(content.replace(manifest=manifest))

    assert "2 rows of 1 track hold NaN or infinite values and were left out of everything" in words
    assert "tones/tones-03.wav timbre c3, c7 2 9" in words
    assert "2 columns have one value in all rows: no model can learn from that" in words
    assert "timbre 2 c0, c1" in words


def test_sound_values_are_reported_as_such(content):
    words = text(content)

    assert "Every row that was used is finite" in words
    assert "No column is constant." in words


@pytest.mark.parametrize(
    ("balance", "words"),
    [
        ("weights", "rows of smaller classes weigh more in the loss"),
        ("sampling", "rows of smaller classes are repeated"),
        ("none", "a model does well by favouring large classes"),
    ],
)
def test_what_is_done_about_classes_of_different_size_is_reported(content, balance, words):
    recipe = content.plan.recipe.replace(training=TrainingPlan(balance=balance))

    assert words in text(content.replace(plan=content.plan.replace(recipe=recipe)))


def test_without_groups_it_warns_of_what_may_lie_on_both_sides(content):
    assert "No groups were told, so each track counts as one of its own" in text(content)


@pytest.mark.parametrize(
    ("strategy", "of", "words"),
    [
        ("kfold", "", "dealt out at random into 2 folds of whole groups"),
        ("nested", "1", "2 inner folds of the rest selected between trials, anew for each"),
        ("folds", "", "came with folds. Each of the 2 folds was the test once"),
    ],
)
def test_every_way_of_splitting_is_described_in_words(content, strategy, of, words):
    (part,) = content.split.partitions
    names = ("1.1", "1.2") if of else ("1", "2")
    parts = tuple(part.replace(name=name, of=of) for name in names)

    assert words in text(content.replace(split=content.split.replace(strategy=strategy, partitions=parts)))


def test_folds_that_train_and_folds_that_test_are_reported(content):
    (part,) = content.split.partitions
    split = content.split.replace(strategy="folds", partitions=(part.replace(name="9+10"),))

    assert "Fold 9, 10 is the test, as the recipe says" in text(content.replace(split=split))


def test_a_report_of_an_older_chordal_is_still_written(learned):
    words = text(learned)

    assert "What a random split would have said" not in words
    assert "What a confidence is worth" not in words
    assert "75.0% of 12 test tracks" in words
