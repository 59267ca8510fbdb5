"""Temperatures undo a known miscalibration, thresholds do as they say, and cards carry both."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.learning.evaluation.calibration import BINS, answer_rule, group_temperature, reliability, temperature
from pipeline.learning.models import load_model
from pipeline.learning.models.classifier import ClassifierCard, save_classifier
from pipeline.learning.study.findings import AnswerRule


def drawn(count, *, sharpened, classes=5, seed=0):
    """Return (probabilities, truth): truth is drawn from honest probabilities, which are then sharpened."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(count, classes)) * 1.5
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([random.choice(classes, p=row) for row in honest])
    loud = np.exp(logits * sharpened)
    return loud / loud.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("sharpened", [0.5, 1.0, 2.5, 6.0])
def test_a_temperature_finds_by_how_much_a_model_is_too_sure_of_itself(sharpened):
    probabilities, truth = drawn(4000, sharpened=sharpened)

    assert temperature(probabilities, truth, np.ones(4000)) == pytest.approx(sharpened, rel=0.08)


def test_what_was_settled_on_validation_calibrates_other_data():
    validation, test = (drawn(3000, sharpened=4.0, seed=seed) for seed in (1, 2))
    rule = answer_rule(*validation, np.arange(3000), calibrate=True, accuracy=0.9, coverage=0.5)

    before, after = reliability(*test), reliability(rule.calibrated(test[0]), test[1])

    assert before.ece > 0.2
    assert after.ece < 0.04
    assert after.log_loss < before.log_loss


def test_a_few_tracks_without_a_mistake_do_not_ask_for_certainty():
    probabilities = np.tile([0.9, 0.1], (8, 1))

    found = temperature(probabilities, np.zeros(8, np.int64), np.ones(8))

    assert 0.3 < found < 1


def test_probabilities_of_0_and_1_can_be_calibrated():
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    found = temperature(probabilities, np.array([0, 1, 1, 0]), np.ones(4))

    calibrated = AnswerRule(temperature=found).calibrated(probabilities)

    assert found > 1
    assert np.isfinite(calibrated).all()
    np.testing.assert_allclose(calibrated.sum(axis=1), 1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 50), warmth=st.floats(0.06, 18))
def test_a_temperature_never_changes_the_likeliest_class(seed, warmth):
    probabilities, _ = drawn(50, sharpened=1.0, seed=seed)

    calibrated = AnswerRule(temperature=warmth).calibrated(probabilities)

    assert calibrated.argmax(axis=1).tolist() == probabilities.argmax(axis=1).tolist()
    np.testing.assert_allclose(calibrated.sum(axis=1), 1)


def test_without_data_nothing_is_settled():
    nothing = np.zeros((0, 3)), np.zeros(0, np.int64)

    assert answer_rule(*nothing, np.zeros(0, np.int64), calibrate=True, accuracy=0.9, coverage=0.5) == AnswerRule()
    assert reliability(*nothing).bins == ()


def test_the_calibration_error_is_that_of_fifteen_equal_bins():
    probabilities = np.array([[0.95, 0.05]] * 4 + [[0.62, 0.38]] * 2)
    truth = np.array([0, 0, 0, 1, 0, 1])

    found = reliability(probabilities, truth)

    assert BINS == 15
    assert [(b.confidence, b.accuracy, b.n) for b in found.bins] == [
        (pytest.approx(0.62), 0.5, 2),
        (pytest.approx(0.95), 0.75, 4),
    ]
    assert found.ece == pytest.approx(2 / 6 * 0.12 + 4 / 6 * 0.2)


def grouped(groups, of_group, *, sharpened, spread, seed):
    """Return (probabilities, truth, units): of some groups the model is more sure of itself than of others."""
    random = np.random.default_rng([seed, 1])
    parts = [
        drawn(of_group, sharpened=sharpened * np.exp(random.normal(0, spread)), seed=[seed, number])
        for number in range(groups)
    ]
    return (*(np.concatenate(each) for each in zip(*parts, strict=True)), np.repeat(np.arange(groups), of_group))


def test_one_group_says_nothing_of_the_temperature_for_others():
    probabilities, truth = drawn(500, sharpened=3.0)

    assert group_temperature(probabilities, truth, np.zeros(500, np.int64)) == 1.0
    assert group_temperature(probabilities, truth, np.arange(500)) == pytest.approx(3.0, rel=0.15)


def test_a_temperature_is_kept_only_where_it_helps_other_groups():
    harmed = helped = 0
    for seed in range(12):
        validation = grouped(4, 60, sharpened=1.0, spread=0.5, seed=seed)
        probabilities, truth, _ = grouped(12, 60, sharpened=1.0, spread=0.5, seed=100 + seed)
        found = AnswerRule(temperature=group_temperature(*validation))
        after, before = (reliability(p, truth).log_loss for p in (found.calibrated(probabilities), probabilities))
        # the temperature that the same tracks ask for when each counts for itself
        plain = AnswerRule(temperature=temperature(validation[0], validation[1], np.ones(240)))
        harmed += after > before
        helped += reliability(plain.calibrated(probabilities), truth).log_loss > before

    assert harmed < helped
    assert harmed <= 4


def card(**more):
    return ClassifierCard(classes=("a", "b"), prior=(0.5, 0.5), members=(), **more)


def test_a_card_keeps_temperature_and_threshold(tmp_path):
    save_classifier(card(answering=AnswerRule(temperature=2.0, threshold=0.6)), tmp_path)

    classifier = load_model(tmp_path)

    assert classifier.card.answering == AnswerRule(temperature=2.0, threshold=0.6)
    assert classifier.unsure(np.array([[0.55, 0.45], [0.7, 0.3]])).tolist() == [True, False]


def test_a_card_of_an_older_chordal_is_read_as_uncalibrated_and_always_answering(tmp_path):
    old = card().to_wire()
    del old["answering"], old["format"]
    (tmp_path / "classifier.json").write_text(json.dumps(old), "utf-8")

    classifier = load_model(tmp_path)

    assert classifier.card.answering == AnswerRule()
    assert not classifier.unsure(np.array([[0.51, 0.49]])).any()


def test_a_card_of_a_newer_chordal_is_refused_naming_both_formats(tmp_path):
    (tmp_path / "classifier.json").write_text(json.dumps({"format": 3, "something": "new"}), "utf-8")

    with pytest.raises(UsageError, match="is of format 3, this chordal reads up to 2"):
        load_model(tmp_path)
