"""Each model family learns, and says the same after it was saved and loaded."""

import json
import zipfile

import numpy as np
import pytest
from sklearn.svm import SVC

from pipeline.errors import UsageError
from pipeline.learning.models import LabelledRows, model_family, model_names
from pipeline.learning.models.base import balanced_weights, column_statistics
from pipeline.learning.models.classic import load_classic
from pipeline.learning.models.families.dense_boundary import DEFAULT_LAYOUT, LAYOUTS, layout_name, parameter_count
from pipeline.learning.models.hyperparameters import ACTIVATIONS
from pipeline.learning.models.networks import Schedule, fit_network, load_network
from pipeline.learning.search.plan import propose_trials
from pipeline.plans.recipe import ModelChoice, Recipe

pytestmark = pytest.mark.slow

CLASSIC = {"svm", "svm_raw", "logistic", "forest", "boosting"}
CLASSES = {"dense_boundary": 2}  # all others are tried with three
SHORT = {
    "dense_search": {"epochs": 3},
    "dense_mean": {"epochs": 3},
    "dense_stats": {"epochs": 3},
    "cnn_segments": {"epochs": 1},
    "cnn_logmel": {"epochs": 1},
    "forest": {"trees": 10},
    "boosting": {"rounds": 10},
    "dense_boundary": {"epochs": 3},
}
PICTURES = {"cnn_segments": (130, 16), "cnn_logmel": (40, 16)}


def defaults(name):
    choice = ModelChoice(family=name, features="frame_stats", fixed=SHORT.get(name, {}))
    (spec,) = propose_trials(Recipe(name="r", title="r", models=(choice,)).replace(), run_id="r", seed=0)[:1]
    return spec.hyperparameters


def made(shape, *, rows=60, classes=3, seed=0):
    random = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    x = random.normal(10, 3, size=(rows, *shape)).astype(np.float32)
    x[np.arange(rows), ..., y] += 12
    return LabelledRows(x=x, y=y)


def fitted(name, *, seed=0, data=None, validation="same", **changes):
    classes = CLASSES.get(name, 3)
    data = data or made(PICTURES.get(name, (8,)), classes=classes)
    return model_family(name).fit(
        data,
        data if validation == "same" else validation,
        classes=classes,
        hyperparameters=defaults(name) | changes,
        seed=seed,
    ), data


@pytest.mark.parametrize("name", model_names())
def test_a_family_fits_and_its_model_says_the_same_after_saving_and_loading(name, tmp_path):
    fit, data = fitted(name)
    probabilities = fit.model.probabilities(data.x)

    fit.model.save(tmp_path)
    loaded = (load_classic if name in CLASSIC else load_network)(tmp_path)

    assert probabilities.shape == (len(data.x), CLASSES.get(name, 3))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(loaded.probabilities(data.x), probabilities, atol=1e-6)
    assert fit.parameters > 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".skops" if name in CLASSIC else ".keras"]


@pytest.mark.parametrize("name", ["svm", "logistic", "forest", "boosting", "dense_stats"])
def test_a_family_learns_classes_that_lie_apart(name):
    fit, data = fitted(name, **({} if name in CLASSIC else {"epochs": 30}))

    assert (fit.model.probabilities(data.x).argmax(axis=1) == data.y).mean() > 0.95


@pytest.mark.parametrize("name", ["dense_search", "svm", "forest", "boosting"])
def test_the_same_seed_gives_the_same_model(name):
    first, data = fitted(name, seed=5)
    again, _ = fitted(name, seed=5)

    np.testing.assert_array_equal(first.model.probabilities(data.x), again.model.probabilities(data.x))
    assert first.curves == again.curves


def test_another_seed_gives_another_network():
    first, data = fitted("dense_search", seed=5)
    other, _ = fitted("dense_search", seed=6)

    assert not np.array_equal(first.model.probabilities(data.x), other.model.probabilities(data.x))


def test_the_segment_network_has_the_tutorials_number_of_parameters():
    random = np.random.default_rng(0)
    data = LabelledRows(x=random.normal(size=(20, 130, 16)).astype(np.float32), y=np.arange(20) % 10)
    fit = model_family("cnn_segments").fit(
        data, None, classes=10, hyperparameters=defaults("cnn_segments"), seed=0, epochs=1
    )

    assert fit.parameters == 86_122
    assert fit.model.network.count_params() == 86_314


def test_the_segment_network_with_l2_is_penalised_on_every_kernel_but_the_last():
    data = made((130, 16), rows=6)
    fit, _ = fitted("cnn_segments", data=data, l2=0.001)

    assert len(fit.model.network.losses) == 6
    assert fit.model.network.layers[-1].kernel_regularizer is None


def test_the_segment_network_has_the_shape_that_a_recipe_gives_it():
    shape = {"blocks": 2, "filters": 4, "kernels": "5-2", "dense": "6", "activation": "elu"}
    fit, _ = fitted("cnn_segments", data=made((20, 16), rows=6), **shape)
    layers = fit.model.network.layers

    assert [layer.kernel_size for layer in layers if type(layer).__name__ == "Conv2D"] == [(5, 5), (2, 2)]
    assert {layer.filters for layer in layers if type(layer).__name__ == "Conv2D"} == {4}
    dense = [(layer.units, layer.activation.__name__) for layer in layers if type(layer).__name__ == "Dense"]
    assert dense == [(6, "elu"), (3, "softmax")]
    with pytest.raises(ValueError, match="block 4 would get a picture of 15 x 1, smaller than its kernel of 2 x 2"):
        fitted("cnn_segments", data=made((130, 16), rows=6), blocks=4)


def test_trials_of_older_runs_that_name_no_shape_or_activation_are_fitted_as_they_were():
    for name, unnamed in {
        "cnn_segments": {"blocks", "filters", "kernels", "dense", "activation"},
        "dense_search": {"activation"},
        "dense_boundary": {"l2", "dropout"},
    }.items():
        classes = CLASSES.get(name, 3)
        data = made(PICTURES.get(name, (8,)), rows=12, classes=classes)
        old = {key: value for key, value in defaults(name).items() if key not in unnamed}
        fit = model_family(name).fit(data, None, classes=classes, hyperparameters=old, seed=0, epochs=0)
        assert fit.parameters == fitted(name, data=data, epochs=1)[0].parameters


@pytest.mark.parametrize("name", ["cnn_segments", "cnn_logmel"])
def test_a_network_for_pictures_refuses_rows_that_are_vectors(name):
    with pytest.raises(ValueError, match=r"needs rows that are matrices .*not of shape \(8,\)"):
        fitted(name, data=made((8,)))


def test_the_log_mel_network_refuses_rows_too_small_for_its_blocks():
    with pytest.raises(ValueError, match=r"rows of shape \(6, 16\) cannot be halved 3 times; use fewer blocks"):
        fitted("cnn_logmel", data=made((6, 16)))


def test_early_stopping_keeps_the_best_epoch_and_says_which():
    validation = made((8,), seed=9)
    validation = LabelledRows(x=validation.x, y=(validation.y + 1) % 3)  # labels that the training contradicts
    fit, _ = fitted("dense_search", validation=validation, epochs=40, learning_rate=0.05)

    assert fit.epochs == int(np.argmin(fit.curves["val_loss"])) + 1
    assert len(fit.curves["val_loss"]) == fit.epochs + 2 < 40


def test_without_validation_the_epochs_requested_are_trained():
    data = made((8,))
    fit = model_family("dense_mean").fit(
        data, None, classes=3, hyperparameters=defaults("dense_mean"), seed=0, epochs=2
    )

    assert fit.epochs == 2
    assert set(fit.curves) == {"loss", "accuracy"}


def test_inputs_are_standardised_by_the_training_rows_and_outliers_are_clipped(tmp_path):
    fit, data = fitted("logistic")
    far = np.full((1, 8), 1e30, np.float32)

    assert np.isfinite(fit.model.probabilities(far)).all()
    np.testing.assert_allclose(fit.model.mean, data.x.mean(axis=0), rtol=1e-5)


def test_a_network_carries_its_standardisation_without_weights(tmp_path):
    fit, _ = fitted("dense_search")
    fit.model.save(tmp_path)

    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        layers = {layer["class_name"]: layer for layer in json.loads(archive.read("config.json"))["config"]["layers"]}

    assert len(layers["Normalization"]["config"]["mean"]) == 8
    assert not any("normalization" in weight.path for weight in fit.model.network.weights)


def test_a_constant_column_is_left_alone():
    x = np.array([[1.0, 5.0], [3.0, 5.0]], np.float32)
    mean, deviation = column_statistics(x)

    assert mean.tolist() == [2.0, 5.0]
    assert deviation.tolist() == [1.0, 1.0]


def test_classes_weigh_the_same_whatever_their_size():
    weights = balanced_weights(np.array([0, 0, 0, 1]), 3)

    assert weights.tolist() == pytest.approx([4 / 6, 2.0, 0.0])


def test_a_class_without_training_rows_gets_probability_zero():
    data = made((8,))
    data = LabelledRows(x=data.x[data.y != 1], y=data.y[data.y != 1])
    fit, _ = fitted("svm", data=data)

    probabilities = fit.model.probabilities(data.x)
    assert (probabilities[:, 1] == 0).all()
    assert (probabilities.argmax(axis=1) == data.y).mean() > 0.95


def test_no_epochs_leave_a_network_as_it_was_drawn():
    data = made((8,))
    drawn = model_family("dense_mean").fit(
        data, None, classes=3, hyperparameters=defaults("dense_mean"), seed=0, epochs=0
    )

    assert (drawn.epochs, drawn.curves) == (0, {})
    assert abs((drawn.model.probabilities(data.x).argmax(axis=1) == data.y).mean() - 1 / 3) < 0.4


def test_many_steps_at_once_change_no_number():
    data = made((8,))

    def curves(steps_at_once):
        schedule = Schedule(learning_rate=0.01, batch=7, epochs=3, steps_at_once=steps_at_once)
        fit = fit_network(
            lambda keras: [keras.layers.Dense(4, activation="tanh"), keras.layers.Dropout(0.2)],
            data,
            data,
            classes=3,
            schedule=schedule,
            seed=1,
        )
        return fit.curves

    assert curves(1) == curves(64) == curves(4)


def test_the_searched_network_reads_the_columns_it_is_given():
    fit, data = fitted("dense_search", columns="2 3 5")
    changed = data.x.copy()
    changed[:, [0, 1, 4, 6, 7]] = 1e6

    np.testing.assert_array_equal(fit.model.probabilities(changed), fit.model.probabilities(data.x))
    assert fit.parameters == (3 + 1) * 16 + (16 + 1) * 16 + (16 + 1) * 3


def test_the_searched_network_is_z_scored_by_the_deviation_of_a_sample():
    fit, data = fitted("dense_search", columns="1 2")
    layer = next(layer for layer in fit.model.network.layers if type(layer).__name__ == "Normalization")

    np.testing.assert_allclose(layer.input_mean, data.x[:, 1:3].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(layer.input_variance, data.x[:, 1:3].astype(float).var(axis=0, ddof=1), rtol=1e-5)


def test_dropout_and_regularisation_of_the_searched_network_are_hyperparameters():
    fit, _ = fitted("dense_search", dropout=0.3, l2=0.01)
    kinds = [type(layer).__name__ for layer in fit.model.network.layers]

    assert kinds.count("Dropout") == 2
    assert len(fit.model.network.losses) == 3


def test_activation_dropout_and_regularisation_of_small_networks_are_hyperparameters():
    fit, _ = fitted("dense_search", activation="relu")
    assert [layer.activation.__name__ for layer in fit.model.network.layers[-3:]] == ["relu", "relu", "softmax"]
    fit, _ = fitted("dense_boundary", dropout=0.3, l2=0.01)
    assert [type(layer).__name__ for layer in fit.model.network.layers].count("Dropout") == 2
    assert len(fit.model.network.losses) == 2


def test_every_activation_that_a_recipe_may_name_is_one_of_keras():
    import keras

    assert all(callable(keras.activations.get(name)) for name in ACTIVATIONS)


@pytest.mark.parametrize(("text", "message"), [("2 two", "no list"), ("3 3", "different"), ("2 8", "none of the 8")])
def test_columns_that_are_none_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        fitted("dense_search", columns=text)


# As the tutorial prints them, for two features.
PARAMETERS = {
    "64-64": 4417, "64-32-16-8-4-2": 2985, "64-16-4-16-64": 2533, "64-4-2-4-64": 859, "32-16-8-4-2": 809,
    "16-16-4-2": 401, "16-8-4-2": 233, "8-8-4-2": 145, "5-5-5": 81, "5-3-2": 44, "5-4": 44, "5-3": 37, "8": 33,
    "5-2": 30, "5": 21, "3-2": 20, "2-2": 15, "2": 9,
}  # fmt: skip


def test_the_eighteen_layouts_have_the_tutorials_parameters():
    assert {layout_name(layout): parameter_count(layout) for layout in LAYOUTS} == PARAMETERS
    assert layout_name(DEFAULT_LAYOUT) == "2-2"

    data = made((2,), classes=2)
    for name, parameters in PARAMETERS.items():
        fit = model_family("dense_boundary").fit(
            data, None, classes=2, hyperparameters=defaults("dense_boundary") | {"layout": name}, seed=0, epochs=0
        )
        assert (fit.parameters, fit.model.network.count_params()) == (parameters, parameters), name


def test_the_boundary_network_ends_in_one_sigmoid_and_learns_by_plain_descent():
    fit, data = fitted("dense_boundary")

    assert fit.model.network.output_shape == (None, 1)
    assert type(fit.model.network.optimizer).__name__ == "SGD"
    assert {"loss", "binary_crossentropy", "accuracy", "precision", "recall"} <= set(fit.curves)
    raw = np.asarray(fit.model.network(data.x))[:, 0]
    np.testing.assert_allclose(fit.model.probabilities(data.x), np.stack([1 - raw, raw], axis=1), atol=1e-6)


def test_the_boundary_network_refuses_three_classes():
    with pytest.raises(ValueError, match="tells two classes apart, and there are 3"):
        model_family("dense_boundary").fit(
            made((4,)), None, classes=3, hyperparameters=defaults("dense_boundary"), seed=0
        )


@pytest.mark.parametrize("layout", ["", "8-0", "8-x", "8--2"])
def test_a_layout_that_is_none_is_refused(layout):
    with pytest.raises(ValueError, match="layout"):
        fitted("dense_boundary", layout=layout)


def test_the_raw_machine_is_scikit_learns_on_the_rows_as_they_are():
    data = made((8,))
    fit, _ = fitted("svm_raw", data=data, gamma=0.001)
    reference = SVC(gamma=0.001, C=1.0).fit(data.x, data.y)

    np.testing.assert_allclose(
        fit.model.estimator.decision_function(data.x), reference.decision_function(data.x), atol=1e-6
    )
    assert fit.model.estimator.gamma == 0.001
    far = data.x * 1e3  # not clipped either
    np.testing.assert_allclose(
        fit.model.estimator.decision_function(fit.model._standardise(far)), reference.decision_function(far), atol=1e-6
    )


def test_a_diverging_network_is_an_error_that_says_so():
    data = made((8,))
    with pytest.raises(ValueError, match="lower the learning rate"):
        fitted("dense_stats", data=data, learning_rate=1e38)


def test_a_skops_file_with_a_stranger_inside_is_refused(tmp_path):
    import skops.io

    skops.io.dump({"estimator": Stranger()}, tmp_path / "model.skops")

    with pytest.raises(UsageError, match=r"holds unknown types .*Stranger"):
        load_classic(tmp_path)


class Stranger:
    """A type no family of ours saves."""


def test_a_loaded_network_says_the_same_of_many_rows_as_of_few(tmp_path):
    fit, _ = fitted("dense_stats")
    fit.model.save(tmp_path)
    loaded = load_network(tmp_path)
    x = np.random.default_rng(1).normal(10, 3, size=(5_000, 8)).astype(np.float32)
    few = np.concatenate([loaded.probabilities(x[first : first + 500]) for first in range(0, len(x), 500)])
    np.testing.assert_allclose(loaded.probabilities(x), few, atol=1e-6)


def test_a_forest_is_made_of_types_that_are_trusted_by_name(tmp_path):
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    from pipeline.learning.models.classic import fit_classic

    data = made((8,))
    for estimator in (RandomForestClassifier(5, random_state=1), HistGradientBoostingClassifier(max_iter=2)):
        model = fit_classic(estimator, data, classes=3).model
        model.save(tmp_path)
        np.testing.assert_allclose(load_classic(tmp_path).probabilities(data.x), model.probabilities(data.x))


def test_a_file_that_is_no_skops_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "model.skops").write_bytes(b"rubbish")
    with pytest.raises(UsageError, match="is no readable skops file"):
        load_classic(tmp_path)
