"""What a search may make best, each by its definition, and that it chooses the trial."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, roc_auc_score

from pipeline.errors import UsageError
from pipeline.learning.evaluation.objectives import objective_value
from pipeline.plans.objectives import describe_objective
from pipeline.plans.recipe import parse_recipe


@pytest.fixture
def drawn():
    """True classes of three, and probabilities that know a little of them."""
    random = np.random.default_rng(0)
    truth = random.choice(3, 200, p=[0.7, 0.2, 0.1])
    logits = random.normal(size=(200, 3)) + 1.5 * np.eye(3)[truth]
    return truth, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_each_is_what_scikit_learn_says(drawn):
    truth, probabilities = drawn
    said = probabilities.argmax(axis=1)
    expected = {
        "accuracy": np.mean(said == truth),
        "macro_f1": f1_score(truth, said, average="macro"),
        "balanced_accuracy": balanced_accuracy_score(truth, said),
        "log_loss": -log_loss(truth, probabilities),
        "macro_roc_auc": roc_auc_score(truth, probabilities, multi_class="ovr", average="macro"),
    }
    for objective, value in expected.items():
        assert objective_value(objective, truth, probabilities) == pytest.approx(value)


def test_a_model_that_never_names_the_rare_class_is_good_by_accuracy_alone():
    truth = np.array([0] * 150 + [1] * 4)
    never = np.tile([0.9, 0.1], (154, 1))

    assert objective_value("accuracy", truth, never) == pytest.approx(150 / 154)
    assert objective_value("macro_f1", truth, never) < 0.5
    assert objective_value("balanced_accuracy", truth, never) == 0.5
    assert objective_value("macro_roc_auc", truth, never) == 0.5


def test_one_class_alone_has_no_curve():
    assert objective_value("macro_roc_auc", np.zeros(5, np.int64), np.tile([0.6, 0.4], (5, 1))) == 0.5


def test_values_are_said_as_people_read_them():
    assert describe_objective("macro_f1", 0.4944) == "49.4%"
    assert describe_objective("log_loss", -0.5234) == "0.523"


def test_an_objective_that_there_is_not_is_refused():
    text = 'name = "t"\ntitle = "t"\n[search]\nobjective = "f1"\n[[models]]\nfamily = "svm"\nfeatures = "mfcc_mean"\n'
    with pytest.raises(UsageError, match="objective"):
        parse_recipe(text, "t.toml")
    assert parse_recipe(text.replace('"f1"', '"macro_f1"'), "t.toml").search.objective == "macro_f1"
