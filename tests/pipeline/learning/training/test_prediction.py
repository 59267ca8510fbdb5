"""What a classifier says of whole tracks and over time, and how predictions add up."""

from dataclasses import dataclass

import numpy as np
import pytest

from pipeline.features.spec import FeatureRows
from pipeline.learning.models.classifier import Classifier, ClassifierCard, Member
from pipeline.learning.models.compatibility import check_fits, family_names, misfit
from pipeline.learning.study.findings import AnswerRule
from pipeline.learning.study.trials import TrialSpec
from pipeline.learning.training.prediction import ScoreCounter, TrackPrediction, track_prediction
from pipeline.library.tracks import Failure

PRIOR = (0.7, 0.3)


@dataclass(frozen=True)
class Said:
    """A model that says what stands in the first two columns of a row."""

    def probabilities(self, x):
        return np.asarray(x[:, :2], np.float64)

    def save(self, folder):
        raise NotImplementedError


def classifier(*keys, **card) -> Classifier:
    spec = TrialSpec(run_id="r", index=0, family="said", features="f", hyperparameters={}, seed=1)
    members = tuple(Member(folder=str(n), features=key, trial=spec) for n, key in enumerate(keys))
    made = ClassifierCard(classes=("a", "b"), prior=PRIOR, members=members, **card)
    return Classifier(card=made, models=(Said(),) * len(keys))


def rows(*shares, start_s=None, channel=None) -> FeatureRows:
    """Return rows that say these shares for class a."""
    count = len(shares)
    values = np.array([[share, 1 - share] for share in shares], np.float32).reshape(count, 2)
    starts = np.arange(count) * 3.0 if start_s is None else start_s
    channels = np.full(count, -1) if channel is None else channel
    return FeatureRows(values=values, start_s=np.array(starts, np.float32), channel=np.array(channels, np.int8))


def test_a_track_is_the_mean_of_its_rows_and_a_segment_is_a_row():
    whole, usable, over_time = classifier("x").predict({"x": [rows(0.9, 0.5), rows(0.2)]})
    np.testing.assert_allclose(whole[:, 0], [0.7, 0.2], atol=1e-6)
    assert usable.tolist() == [True, True]
    assert over_time[0].start_s.tolist() == [0.0, 3.0]
    np.testing.assert_allclose(over_time[0].probabilities[:, 0], [0.9, 0.5], atol=1e-6)


def test_tracks_alone_and_with_segments_are_reported_the_same():
    random = np.random.default_rng(1)
    x = [rows(*random.random(count)) for count in (3, 0, 5, 1)]
    y = [rows(*random.random(count)) for count in (1, 1, 0, 1)]
    made = classifier("x", "y", "x", answering=AnswerRule(temperature=1.7))
    whole, _, _ = made.predict({"x": x, "y": y})
    alone = made.probabilities({"x": [each.values for each in x], "y": [each.values for each in y]})
    np.testing.assert_allclose(whole, alone, atol=1e-12)


def test_rows_that_begin_together_are_one_segment_also_out_of_order():
    both = rows(0.8, 0.4, 0.6, 0.2, start_s=[3.0, 0.0, 3.0, 0.0], channel=[0, 0, 1, 1])
    _, _, [over_time] = classifier("x").predict({"x": [both]})
    assert over_time.start_s.tolist() == [0.0, 3.0]
    np.testing.assert_allclose(over_time.probabilities[:, 0], [0.3, 0.7], atol=1e-6)


def test_the_finest_family_cuts_and_coarser_ones_speak_where_they_began():
    fine, coarse = rows(0.9, 0.9, 0.1, 0.1), rows(1.0, 0.0, start_s=[0.0, 6.0])
    _, _, [over_time] = classifier("fine", "coarse", "coarse").predict({"fine": [fine], "coarse": [coarse]})
    assert over_time.start_s.tolist() == [0.0, 3.0, 6.0, 9.0]
    np.testing.assert_allclose(over_time.probabilities[:, 0], [2.9 / 3, 2.9 / 3, 0.1 / 3, 0.1 / 3], atol=1e-6)


def test_rows_that_are_not_finite_are_passed_over_and_a_track_without_any_has_only_the_prior():
    broken = rows(0.9, 0.5)
    broken.values[0, 0] = np.nan
    nothing = rows()
    whole, usable, over_time = classifier("x").predict({"x": [broken, nothing]})
    np.testing.assert_allclose(whole, [[0.5, 0.5], PRIOR], atol=1e-6)
    assert usable.tolist() == [True, False]
    assert over_time[0].start_s.tolist() == [3.0]
    assert len(over_time[1].start_s) == 0


def test_no_track_at_all_is_no_answer():
    whole, usable, over_time = classifier("x").predict({"x": []})
    assert (whole.shape, usable.shape, over_time) == ((0, 2), (0,), [])


def test_a_temperature_changes_how_sure_it_is_and_not_of_what():
    cold, _, [course] = classifier("x", answering=AnswerRule(temperature=2.0)).predict({"x": [rows(0.9, 0.9)]})
    assert cold[0, 0] == pytest.approx(0.75, abs=1e-6)  # the root of the odds of 9 are odds of 3
    np.testing.assert_allclose(course.probabilities[:, 0], 0.75, atol=1e-6)
    np.testing.assert_allclose(cold.sum(axis=1), 1)


def test_below_the_threshold_and_without_a_usable_row_the_answer_is_unsure():
    made = classifier("x", answering=AnswerRule(threshold=0.6))
    whole, usable, over_time = made.predict({"x": [rows(0.55), rows(0.65), rows()]})
    predictions = [track_prediction(made, "p", whole[n], over_time[n], usable=bool(usable[n])) for n in range(3)]
    assert [each.unsure for each in predictions] == [True, False, True]
    assert [each.label for each in predictions] == ["a", "a", "a"]


def test_only_so_many_classes_are_reported_as_requested_the_most_probable_first():
    made = classifier("x")
    whole, _, over_time = made.predict({"x": [rows(0.2)]})
    assert list(track_prediction(made, "p", whole[0], over_time[0], usable=True).probabilities) == ["b", "a"]
    assert list(track_prediction(made, "p", whole[0], over_time[0], usable=True, top=1).probabilities) == ["b"]


def prediction(label, truth, **more) -> TrackPrediction:
    return TrackPrediction(path="p", label=label, truth=truth, **more)


def test_scores_leave_out_what_the_model_learned_from_and_count_unknown_labels_as_wrong():
    scoring = ScoreCounter(("a", "b"))
    assert scoring.scores() is None
    scoring.add(
        [
            prediction("a", "a"),
            prediction("b", "a", unsure=True),
            prediction("a", "c"),
            prediction("a", "c"),
            prediction("b", None),
        ]
    )
    scoring.add(
        [
            prediction("a", "b", learned=True),
            TrackPrediction(path="p", truth="a", failure=Failure(kind="empty", reason="")),
        ]
    )
    found = scoring.scores()
    assert (found.scores.n, found.scores.accuracy, found.unsure, found.learned) == (4, 0.25, 1, 1)
    assert found.unknown == {"c": 2}


def test_a_model_that_does_not_fit_names_both_fingerprints():
    from pipeline.features.registry import family

    key = family("mfcc_mean").spec.key
    assert misfit([key]) == ""
    assert family_names([key]) == ("mfcc_mean",)
    with pytest.raises(
        ValueError, match=r"model v0001: it was trained on mfcc_mean 0123.*computes mfcc_mean [0-9a-f]{12}"
    ):
        check_fits("v0001", [key, "mfcc_mean-0123"])
