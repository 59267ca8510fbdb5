"""What recipes show beside what every report does: measured from real studies, drawn as sections."""

import base64
import io
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import soundfile
from sklearn.metrics import log_loss, precision_recall_fscore_support

from pipeline.audio.stream import Audio
from pipeline.errors import MissingError
from pipeline.learning.models.networks import load_network
from pipeline.learning.search.plan import propose_trials
from pipeline.learning.splits import make_split
from pipeline.learning.study.measurements import Measurements
from pipeline.learning.training.final import finish_study
from pipeline.learning.training.trial import run_trial
from pipeline.plans.library import TonesPlan
from pipeline.plans.recipe import OutputName
from pipeline.report.outputs import Study, measure, sections
from pipeline.report.outputs.sections import OUTPUTS
from pipeline.report.outputs.side_scores import penalty_of, side_scores
from pipeline.report.view import Chart, Listing, Sound, Table

pytestmark = pytest.mark.slow

RATE_HZ = 22_050


def decode(path):
    """Return two seconds of a tone in stereo, whatever the path."""
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    left = 0.5 * np.sin(2 * np.pi * 440 * t)
    return Audio(samples=np.column_stack([left, -0.2 * left]).astype(np.float32), sample_rate_hz=RATE_HZ)


def studied(library, recipe, folder, **changes) -> Study:
    """Carry out a study and return it as its outputs see it."""
    manifest = library.manifest()
    split = make_split(manifest, recipe.split, seed=1)
    specs = propose_trials(recipe, run_id="run-1", seed=1)
    outcomes = [run_trial(spec, recipe, manifest, split, library.source) for spec in specs]
    assert {outcome.state for outcome in outcomes} == {"completed"}, [outcome.reason for outcome in outcomes]
    model = folder / "model"
    evaluation = finish_study(
        recipe, manifest, split, outcomes, library.source, model, created="2026-01-01T00:00:00+00:00", seed=1
    )
    result = {
        "recipe": recipe,
        "manifest": manifest,
        "split": split,
        "outcomes": outcomes,
        "evaluation": evaluation,
        "source": library.source,
        "model": model,
        "folder": folder / "outputs",
        "decode": decode,
    }
    return Study(**(result | changes))


def charts(section):
    """Return the pictures of a section, each checked to be a whole SVG."""
    found = [block for block in section.blocks if isinstance(block, Chart)]
    for chart in found:
        assert ET.fromstring(chart.svg).tag.endswith("svg")  # noqa: S314 - drawn by ourselves
        assert "http://" not in chart.svg.replace("http://www.w3.org/", "")  # the page loads nothing
    return found


def table(section, caption):
    """Return the rows of the table whose caption begins so."""
    (found,) = [block for block in section.blocks if isinstance(block, Table) and block.caption.startswith(caption)]
    return found.rows


@pytest.fixture(scope="module")
def _shared():
    """What is made once, by fixtures that need others made anew for each test."""
    return {}


@pytest.fixture
def searched(blobs, recipe, tmp_path_factory, _shared) -> Study:
    """A study of the searched network, with every output that is about rows; made once."""
    if "searched" not in _shared:
        made = recipe("dense_search", refit=False, fixed={"dense_search": {"epochs": 4, "l2": 0.001, "layers": 1}})
        names = ("label_shares", "columns", "sides", "softmax", "retrained", "untrained", "layers", "weights")
        study = studied(blobs(60, rows=3), made.replace(outputs=names), tmp_path_factory.mktemp("searched"))
        _shared["searched"] = study, measure(study)
    return _shared["searched"][0]


@pytest.fixture
def measurements(searched, _shared) -> Measurements:
    return _shared["searched"][1]


@pytest.fixture
def by_anchor(searched, measurements, _shared):
    if "sections" not in _shared:
        _shared["sections"] = {section.anchor: section for section in sections(searched, measurements)}
    return _shared["sections"]


def test_every_output_that_a_recipe_may_name_is_there():
    assert set(OUTPUTS) == set(get_args(OutputName))


def test_the_scores_of_rows_are_scikit_learns():
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 200)
    probabilities = random.dirichlet([1, 1, 1], 200)
    probabilities[np.arange(200), truth] += 0.3
    probabilities /= probabilities.sum(axis=1, keepdims=True)

    result = side_scores(probabilities, truth, ("a", "b", "c"), penalty=0.25)

    label = probabilities.argmax(axis=1)
    weighted = precision_recall_fscore_support(truth, label, average="weighted")[:3]
    np.testing.assert_allclose((result.precision, result.recall, result.f1), weighted, rtol=1e-9)
    for number, scores in enumerate(precision_recall_fscore_support(truth, label)[2]):
        assert result.per_class["abc"[number]].f1 == pytest.approx(scores)
    assert result.cross_entropy == pytest.approx(log_loss(truth, probabilities))
    assert result.cost == pytest.approx(result.cross_entropy + 0.25)
    assert result.accuracy == result.diagonal == pytest.approx((label == truth).mean())


def test_scores_of_a_class_that_is_never_there_or_never_predicted_are_zero():
    result = side_scores(np.array([[0.9, 0.1, 0.0]]), np.array([0]), ("a", "b", "c"))

    assert (result.per_class["b"].precision, result.per_class["b"].recall, result.per_class["c"].f1) == (0, 0, 0)
    assert result.accuracy == 1


def test_each_side_is_scored_on_its_own_rows(searched, measurements):
    part = searched.split.partitions[0]

    assert list(measurements.sides) == ["training", "validation", "test"]
    for scores, tracks in zip(measurements.sides.values(), (part.train, part.validation, part.test), strict=True):
        assert scores.rows == 3 * len(tracks) == sum(map(sum, scores.confusion))
        assert scores.accuracy == pytest.approx(scores.diagonal)
    penalty = penalty_of(searched.trained)
    assert penalty > 0
    assert measurements.sides["test"].cost == pytest.approx(measurements.sides["test"].cross_entropy + penalty)


def test_the_winner_is_trained_again_from_other_weights_and_saved(searched, measurements):
    again = load_network(searched.folder / "retrained")
    rows = searched.rows.select(searched.sides["test"])

    assert set(measurements.retrained) == set(measurements.sides)
    assert again.network.count_params() == searched.trained.network.count_params()
    assert not np.allclose(again.probabilities(rows.x), searched.trained.probabilities(rows.x))
    right = again.probabilities(rows.x).argmax(axis=1) == rows.labels(searched.manifest)
    assert measurements.retrained["test"].accuracy == pytest.approx(right.mean())


def test_before_training_the_network_knows_nothing(measurements):
    assert measurements.untrained["test"].accuracy < measurements.sides["test"].accuracy
    assert measurements.untrained["test"].cross_entropy > measurements.sides["test"].cross_entropy


def test_the_outputs_of_some_rows_of_the_test_are_kept_with_their_truth(searched, measurements):
    assert len(measurements.softmax) == len(measurements.softmax_truth) == min(100, measurements.sides["test"].rows)
    np.testing.assert_allclose(np.sum(measurements.softmax, axis=1), 1, atol=1e-5)


def test_the_sections_come_in_the_recipes_order(searched, by_anchor):
    assert list(by_anchor) == [name.replace("_", "-") for name in searched.recipe.outputs]


def test_shares_and_columns_are_those_of_all_rows(by_anchor):
    assert by_anchor["label-shares"].words[0].startswith("Rows of frame_stats: an array of 180 x 6.")
    assert table(by_anchor["label-shares"], "Share") == tuple((f"class {n}", "20", "60", "33.3%") for n in range(3))
    assert len(charts(by_anchor["columns"])) == 2


def test_the_tables_of_the_sides_say_what_was_measured(by_anchor, measurements):
    test = measurements.sides["test"]

    assert table(by_anchor["sides"], "Scores on the rows")[2][:4] == (
        "test", f"{test.cost:.4f}", f"{test.cross_entropy:.4f}", f"{test.accuracy:.1%}",
    )  # fmt: skip
    assert table(by_anchor["sides"], "Scores of each class")[-1][0] == "weighted mean"
    assert len(charts(by_anchor["sides"])) == 3
    assert len(charts(by_anchor["softmax"])) == 1
    assert table(by_anchor["retrained"], "The winner")[2][3] == f"{measurements.retrained['test'].accuracy:.1%}"
    assert table(by_anchor["untrained"], "Accuracy")[2][1] == f"{measurements.untrained['test'].accuracy:.1%}"


def test_the_network_is_drawn_with_every_layer_and_parameter(searched, by_anchor):
    total = searched.trained.network.count_params()

    assert f"{total:,} parameters" in by_anchor["layers"].words[0]
    assert len(charts(by_anchor["layers"])) == 1
    rows = table(by_anchor["layers"], "Summary")
    assert sum(int(row[3].replace(",", "")) for row in rows) == total
    (listing,) = [block for block in by_anchor["weights"].blocks if isinstance(block, Listing)]
    assert listing.text.count("kernel") == 2


def test_what_was_measured_survives_its_wire_form(measurements):
    assert Measurements.from_wire(measurements.to_wire()) == measurements


def test_trouble_is_reported_and_nothing_is_drawn(searched):
    (result,) = sections(searched, Measurements(run_id="run-1", trouble="the loss became nan"))

    assert result.words == ("Could not be made: the loss became nan.",)


def test_a_refitted_model_has_learned_from_training_and_validation(blobs, recipe, tmp_path):
    study = studied(blobs(30), recipe("svm").replace(outputs=("sides", "layers", "weights", "retrained")), tmp_path)
    part = study.split.partitions[0]

    assert study.sides == {"training": tuple(sorted((*part.train, *part.validation))), "test": part.test}
    trimmed = replace(study, recipe=study.recipe.replace(outputs=("sides", "layers", "weights")))
    result = measure(trimmed)
    assert result.sides["training"].rows == 2 * len(study.sides["training"])
    assert result.sides["training"].cost == result.sides["training"].cross_entropy
    # a model that is no network has no layers to show
    assert [section.anchor for section in sections(trimmed, result)] == ["sides"]


def test_a_model_that_was_cross_validated_has_learned_from_all(blobs, recipe, tmp_path):
    study = studied(blobs(36, folds=3), recipe("logistic").replace(outputs=("sides",)), tmp_path)
    result = measure(study)

    assert list(result.sides) == ["training"]
    assert result.sides["training"].rows == 72
    assert "see the scores per fold" in " ".join(sections(study, result)[0].words)


def test_a_boundary_is_drawn_with_that_of_the_other_activation(blobs, recipe, tmp_path):
    fixed = {"epochs": 2}
    made = recipe("dense_boundary", "dense_boundary").replace(outputs=("regions", "layouts", "sides"))
    tanh, relu = made.models
    made = made.replace(
        models=(
            tanh.replace(fixed=fixed | {"activation": "tanh"}),
            relu.replace(fixed=fixed | {"activation": "relu"}),
        )
    )
    study = studied(blobs(80, classes=2, rows=1, shape=(2,)), made, tmp_path)
    result = measure(study)
    by_anchor = {section.anchor: section for section in sections(study, result)}

    activation = study.spec.hyperparameters["activation"]
    (other,) = result.rivals
    assert {activation, other} == {"tanh", "relu"}
    assert load_network(study.folder / f"rival-{other}").network.count_params() == 15
    pictures = charts(by_anchor["regions"])
    assert len(pictures) == 2  # training and test points
    assert "step 0.05" in pictures[0].caption
    assert table(by_anchor["regions"], f"The best network with {other}")
    layouts = table(by_anchor["layouts"], "Layouts")
    assert len(layouts) == 18
    assert layouts[16][:2] == ("2-2", "15")
    assert "tanh" in layouts[16][2]
    assert "relu" in layouts[16][2]


@pytest.fixture
def pictured(blobs, recipe, tmp_path) -> Study:
    """A study of pictures by a classic model, with every output that looks at sounds."""
    names = ("files", "waveforms", "spectra", "ranges", "recordings", "examples")
    made = recipe("logistic").replace(outputs=names)
    return studied(blobs(30, rows=1, shape=(44, 128)), made, tmp_path, unlabelled=("/library/whole.wav",))


def test_sounds_are_drawn_from_one_file_of_each_class(pictured):
    by_anchor = {section.anchor: section for section in sections(pictured, measure(pictured))}

    assert set(by_anchor) == {"files", "waveforms", "spectra", "ranges", "recordings", "examples"}
    assert [len(charts(section)) for section in by_anchor.values()] == [1, 1, 5, 0, 3, 1]
    assert by_anchor["files"].words == ("30 files in 3 classes.",)
    assert table(by_anchor["ranges"], "The first file")[0][1:] == (
        "22,050", "2", "-0.500 to 0.500", "-16,384 to 16,384", "-0.200 to 0.200",
    )  # fmt: skip
    (sound,) = [block for block in by_anchor["recordings"].blocks if isinstance(block, Sound)]
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(sound.data)))
    assert rate_hz == RATE_HZ
    np.testing.assert_allclose(samples, decode("").samples[:, 0], atol=1e-3)


def test_a_file_that_is_gone_costs_its_picture_and_nothing_else(pictured):
    def unreadable(path):
        raise MissingError(f"{path}: no such file")

    by_anchor = {
        section.anchor: section for section in sections(replace(pictured, decode=unreadable), measure(pictured))
    }

    assert {"files", "spectra", "recordings", "examples"} <= set(by_anchor)
    assert "no such file" in " ".join(by_anchor["spectra"].words)
    assert by_anchor["recordings"].blocks == ()


def test_the_loaded_model_is_tried_on_sounds_that_are_new(library, recipe, tmp_path):
    random = np.random.default_rng(0)
    for number in range(24):
        loud = number % 2
        picture = np.full((1, 44, 128), -30.0 if loud else -100.0) + random.normal(size=(1, 44, 128))
        library.add(f"{number}.wav", "sound" if loud else "silence", picture)
    plan = TonesPlan(sample_rate_hz=11_025)
    study = studied(library, recipe("logistic").replace(outputs=("new_sounds",), library=plan), tmp_path)
    spec = study.spec.replace(features="mel_seconds")
    model = study.evaluation.model.replace(members=(spec,))

    result = measure(replace(study, evaluation=study.evaluation.replace(model=model)))

    assert [sound.truth for sound in result.new_sounds] == ([*["sound"] * 7, "silence"]) * 2
    assert {sound.label for sound in result.new_sounds if sound.truth == "silence"} == {"silence"}
    (section,) = sections(study, result)
    assert "of 16 right" in section.words[0]


def test_hostile_names_stay_words_in_every_picture(library, recipe, tmp_path):
    for number in range(18):
        label = ("<script>alert(1)</script>", "$x$ & 'y'", "b")[number % 3]
        library.add(f"{number}.wav", label, np.random.default_rng(number).normal(size=(2, 6)) + 3 * (number % 3))
    names = ("label_shares", "columns", "files", "waveforms", "ranges", "sides")
    study = studied(library, recipe("logistic").replace(outputs=names), tmp_path)

    for section in sections(study, measure(study)):
        for chart in charts(section):
            assert "<script" not in chart.svg
