"""Search spaces as values: what a recipe makes of a family's, counted and described without TensorFlow."""

import pytest

from pipeline.errors import UsageError
from pipeline.learning.models import model_names
from pipeline.learning.search.spaces import (
    configurations,
    declared_space,
    default_configuration,
    describe,
    space_of,
    to_keras_tuner,
)
from pipeline.plans.recipe import ModelChoice, Span, parse_recipe
from pipeline.plans.recipe_toml import recipe_toml


def space(family, **tables):
    return space_of(ModelChoice(family=family, features="frame_stats", **tables))


@pytest.mark.parametrize("name", model_names())
def test_keras_tuner_gets_the_space_that_is_described(name):
    import keras_tuner

    parameters = declared_space(name)
    theirs = to_keras_tuner(parameters, keras_tuner.HyperParameters())

    assert [hp.name for hp in theirs.space] == [parameter.name for parameter in parameters]
    assert {hp.name: hp.default for hp in theirs.space} == {p.name: p.default for p in parameters}
    assert theirs.values == default_configuration(parameters)
    for ours, hp in zip(parameters, theirs.space, strict=True):
        if ours.kind == "choice":
            assert tuple(hp.values) == ours.values
        elif ours.kind != "fixed":
            assert (hp.min_value, hp.max_value, hp.sampling) == (ours.min, ours.max, ours.scale)
        assert [(c.name, tuple(c.values)) for c in hp.conditions] == [(c.name, c.values) for c in ours.conditions]


def test_a_space_is_described_in_ranges_defaults_conditions_and_fixed_values():
    dimensions = {dimension.name: dimension for dimension in describe(space("dense_search", fixed={"epochs": 20}))}

    assert dimensions["layers"].values == "1 to 5, step 1"
    assert dimensions["units_3"].values == "2 to 16, step 2"
    assert dimensions["units_3"].when == "layers in 3, 4, 5"
    assert (dimensions["epochs"].values, dimensions["epochs"].default) == ("20 (fixed)", 20)
    assert describe(space("svm"))[0].values == "2 to 30, logarithmic"


def test_only_configurations_that_can_be_had_are_counted():
    fixed = {"layers": 2, "units_1": 8, "learning_rate": 0.1}
    homework = 4 * 4  # dropout and L2

    assert configurations(space("cnn_segments")) == 6
    assert configurations(space("dense_search", fixed=fixed)) == 8 * homework
    assert configurations(space("dense_search")) == (8 + 8**2 + 8**3 + 8**4 + 8**5) * homework * 4
    assert configurations(space("svm")) is None
    assert configurations(space("svm", fixed={"c": 1.0, "gamma": 1})) == 1


def test_a_recipe_can_open_what_a_family_fixes_and_narrow_what_it_leaves_open():
    chosen = space("dense_search", space={"learning_rate": Span(min=1e-4, max=1e-2, scale="log"), "layers": (1, 3)})
    rate, layers = (next(p for p in chosen if p.name == name) for name in ("learning_rate", "layers"))

    assert (rate.kind, rate.default, rate.describe()) == ("float", 1e-3, "0.0001 to 0.01, logarithmic")
    assert (layers.kind, layers.default, layers.all_values()) == ("choice", 1, (1, 3))
    assert configurations(space("svm", space={"c": (1, 2.5), "gamma": (0.5,)})) == 2


def test_a_default_outside_a_range_is_moved_into_it():
    (c, _) = space("svm", space={"c": Span(min=10, max=20)})
    assert c.default == 10
    units = space("dense_search", space={"units_1": Span(min=32, max=64, step=16)})[1]
    assert (units.default, units.all_values()) == (32, (32, 48, 64))


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"space": {"c": ()}}, r"recipe: models svm: space\.c: empty, there is no value to choose from"),
        ({"space": {"c": Span(min=2, max=2)}}, r"space\.c: empty, no value lies between 2 and 2"),
        ({"space": {"c": Span(min=3, max=2)}}, r"space\.c: empty"),
        ({"space": {"gamma": Span(min=0, max=2, scale="log")}}, r"space\.gamma: a logarithmic range begins above 0"),
        ({"space": {"c": Span(min=1, max=2, step=0)}}, r"space\.c: step is 0"),
        ({"space": {"c": (1.0, 1.0)}}, r"space\.c: the same value twice"),
        ({"space": {"c": (1.0, "two")}}, r"space\.c: 'two' is not of the kind of its default, 8\.0"),
        ({"space": {"c": (float("nan"),)}}, r"space\.c: nan is not finite"),
        ({"space": {"gama": (1.0,)}}, r"space\.gama: unknown, did you mean gamma\?; svm has c, gamma"),
        ({"space": {"c": (1.0,)}, "fixed": {"c": 2.0}}, r"space\.c: fixed as well"),
        ({"fixed": {"gama": 1.0}}, r"fixed\.gama: unknown, did you mean gamma\?; svm has c, gamma"),
        ({"fixed": {"c": "large"}}, r"fixed\.c: 'large' is not of the kind of its default, 8\.0"),
        ({"fixed": {"c": True}}, r"fixed\.c: True is not of the kind"),
        ({"fixed": {"c": -1}}, r"fixed\.c: -1 is negative"),
    ],
)
def test_an_empty_space_and_values_that_make_no_sense_are_refused_naming_the_key(tables, message):
    with pytest.raises(UsageError, match=message):
        space("svm", **tables)


@pytest.mark.parametrize(
    ("family", "fixed", "message"),
    [
        ("dense_search", {"batch": 0}, r"fixed\.batch: 0 is too small; give a whole number from 1 up"),
        ("dense_search", {"epochs": 0}, r"fixed\.epochs: 0 is too small"),
        ("dense_search", {"activation": "swish2"}, r"fixed\.activation: 'swish2' is none of: .*swish"),
        ("dense_search", {"columns": "a b"}, r"fixed\.columns: 'a b' is no list of different column numbers"),
        ("dense_search", {"learning_rate": 0}, r"fixed\.learning_rate: 0 is too small; give a number above 0"),
        ("dense_search", {"dropout": 1}, r"fixed\.dropout: 1 is too large; give a share below 1"),
        ("dense_boundary", {"layout": "8-0"}, r"fixed\.layout: '8-0' is no list of whole numbers"),
        ("cnn_segments", {"kernels": "3x3"}, r"fixed\.kernels: '3x3' is no list"),
        ("cnn_segments", {"filter": 16}, r"fixed\.filter: unknown, did you mean filters\?; cnn_segments has dropout"),
    ],
)
def test_values_that_would_fail_only_in_the_trial_are_refused_when_the_recipe_is_read(family, fixed, message):
    with pytest.raises(UsageError, match=message):
        space(family, fixed=fixed)


def test_the_shape_of_the_segment_network_can_be_searched():
    chosen = space("cnn_segments", space={"filters": (16, 32), "blocks": (2, 3), "dense": ("64", "128-64-32")})
    assert configurations(chosen) == 6 * 2 * 2 * 2
    assert default_configuration(chosen)["filters"] == 32


def test_whole_numbers_stay_whole():
    with pytest.raises(UsageError, match=r"space\.units_1: 2\.5 is not of the kind of its default, 16"):
        space("dense_search", space={"units_1": Span(min=2.5, max=8)})


def test_a_recipes_space_is_read_from_toml_and_written_back():
    text = """
name = "mine"
title = "Mine"
[[models]]
family = "dense_search"
features = "loudness"
space = { learning_rate = { min = 1e-4, max = 1e-2, scale = "log" }, layers = [1, 2] }
"""
    recipe = parse_recipe(text, "mine.toml")

    assert recipe.models[0].space == {"learning_rate": Span(min=1e-4, max=1e-2, scale="log"), "layers": (1, 2)}
    assert parse_recipe(recipe_toml(recipe), "again") == recipe
