"""Outputs on the network: its layers, its weights, the layouts of the search, its decision regions."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipeline.learning.dataset.load import label_indices
from pipeline.learning.models.base import TrainedModel
from pipeline.learning.models.families.dense_boundary import LAYOUTS, layout_name, parameter_count
from pipeline.learning.models.networks import load_network
from pipeline.learning.study.measurements import Measurements
from pipeline.report.outputs.measurements import rival_folder
from pipeline.report.outputs.network_figures import LayerFacts, Region, grid_of, layers_chart, regions_chart
from pipeline.report.outputs.row_outputs import scores_table
from pipeline.report.outputs.study import Study
from pipeline.report.view import Block, Chart, Column, Listing, Section, Table
from pipeline.report.words import count, percent, quantity
from pipeline.text import MISSING, printable

GRID = (-6.0, 6.0, 0.05)
"""From, to, step of both axes of the decision regions."""
POINTS = 1_500
"""On each picture; more would hide the regions."""
MOST_WEIGHTS = 500


def layers(study: Study, measurements: Measurements) -> Section | None:
    """Return a picture of the layers and the network's summary."""
    del measurements
    network = _network(study.trained)
    if network is None:
        return None
    # Operations, not layers alone: what chooses columns and clips is no layer.
    facts = [_facts(operation) for operation in network.operations]
    total = int(network.count_params())
    trained = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    words = (f"{count(total)} parameters, {count(trained)} of them trained.",)
    chart = Chart(
        svg=layers_chart(facts, name="The layers of the network"),
        caption="Layers, the shape of what each gives, and its parameters",
    )
    summary = Table(
        caption="Summary",
        columns=(
            Column(title="Layer", is_code=True),
            Column(title="What it does"),
            Column(title="Output", is_number=True),
            Column(title="Parameters", is_number=True),
        ),
        rows=tuple(
            (printable(operation.name), layer.words, layer.shape, count(layer.parameters))
            for operation, layer in zip(network.operations, facts, strict=True)
        ),
        note=f"{count(total)} parameters: {count(trained)} trained, {count(total - trained)} not.",
    )
    return Section(anchor="layers", title="The network", words=words, blocks=(chart, summary))


def weights(study: Study, measurements: Measurements) -> Section | None:
    """Return every trained number of a small network."""
    del measurements
    network = _network(study.trained)
    if network is None:
        return None
    trained = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    words = [f"{quantity(trained, 'trainable weight')}."]
    if trained > MOST_WEIGHTS:
        words.append("Too many to read; they are in the model's file.")
        return Section(anchor="weights", title="Weights", words=tuple(words))
    lines = []
    for weight in network.trainable_weights:
        lines.append(f"{weight.path} {tuple(weight.shape)}")
        lines.append(np.array2string(np.asarray(weight), precision=4, suppress_small=True))
    return Section(
        anchor="weights",
        title="Weights",
        words=tuple(words),
        blocks=(Listing(caption="Kernels and biases, from the first layer on", text="\n".join(lines)),),
    )


def layouts(study: Study, measurements: Measurements) -> Section:
    """Return the layouts there are with their numbers of parameters, and the accuracies of those in trials."""
    del measurements
    features = study.rows.x.shape[-1]
    accuracies: dict[str, list[str]] = {}
    for outcome in study.outcomes:
        name = str(outcome.spec.hyperparameters.get("layout", ""))
        if outcome.state == "completed":
            activation = printable(str(outcome.spec.hyperparameters.get("activation", "")))
            accuracies.setdefault(name, []).append(f"{activation} {percent(outcome.objective)}")
    rows = tuple(
        (
            layout_name(layout),
            count(parameter_count(layout, features=features)),
            ", ".join(accuracies.get(layout_name(layout), [])) or MISSING,
        )
        for layout in LAYOUTS
    )
    table = Table(
        caption=f"Layouts of the hidden layers, for {quantity(features, 'feature')}",
        columns=(
            Column(title="Units"),
            Column(title="Parameters", is_number=True),
            Column(title="Validation accuracy", is_prose=True),
        ),
        rows=rows,
    )
    words = ("More trials (--trials N) try more of them, drawn at random after the first of each activation.",)
    return Section(anchor="layouts", title="Eighteen layouts", words=words, blocks=(table,))


def regions(study: Study, measurements: Measurements) -> Section | None:
    """Return the decision regions of the network and of its rivals, with points of the training and the test."""
    if study.rows.x.shape[1:] != (2,) or len(study.manifest.classes) != 2:
        return None
    grid = grid_of(*GRID)
    blocks: list[Block] = []
    models: dict[str, TrainedModel] = {_activation(study): study.trained}
    models |= {name: load_network(rival_folder(study, name)) for name in measurements.rivals}
    for side in ("training", "test"):
        rows = study.rows.select(study.sample(POINTS, side))
        if not len(rows.x):
            continue
        y = label_indices(study.manifest)[rows.owner]
        plots = [Region(f"{name}, {side} points", _over(model, grid), rows.x, y) for name, model in models.items()]
        blocks.append(
            Chart(
                svg=regions_chart(plots, grid, study.manifest.classes, name=f"Decision regions with {side} points"),
                caption=f"Decision regions on the grid {GRID[0]:g} to {GRID[1]:g}, step {GRID[2]:g}, and "
                f"{quantity(len(rows.x), 'point')} of the {side}",
                is_wide=True,
            )
        )
    for name, sides in measurements.rivals.items():
        blocks.append(scores_table(sides, caption=f"The best network with {printable(name)}: scores of each side"))
    words = ["The line is where the network is undecided."]
    if measurements.rivals:
        words.append(
            "The networks of other activations learned from the same points; the one that was delivered is the best in "
            "validation, and the others' test scores chose nothing."
        )
    return Section(anchor="regions", title="Decision regions", words=tuple(words), blocks=tuple(blocks))


def _activation(study: Study) -> str:
    return printable(str(study.spec.hyperparameters.get("activation", study.spec.family)))


def _over(model: TrainedModel, grid: np.ndarray) -> np.ndarray:
    """Return the probability of the second class over the plane, (steps, steps): rows are the second axis."""
    across, up = np.meshgrid(grid, grid)
    points = np.column_stack([across.ravel(), up.ravel()]).astype(np.float32)
    return model.probabilities(points)[:, 1].reshape(across.shape)


def _network(model: TrainedModel) -> Any:
    """Return the Keras model of a network, None for models of other kinds."""
    return getattr(model, "network", None)


def _facts(operation: Any) -> LayerFacts:
    kind = type(operation).__name__
    describe = _WORDS.get(kind)
    words = describe(operation.get_config()) if describe else kind
    shape = " x ".join(str(size) for size in operation.output.shape[1:])
    return LayerFacts(
        kind, printable(words), shape, sum(int(np.prod(w.shape)) for w in getattr(operation, "weights", ()))
    )


def _by(sizes: Any) -> str:
    return " x ".join(str(size) for size in sizes)


_WORDS: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "Conv2D": lambda config: f"Conv2D {config['filters']} of {_by(config['kernel_size'])}, {config['activation']}",
    "MaxPooling2D": lambda config: f"max-pool {_by(config['pool_size'])}, stride {config['strides'][0]}",
    "BatchNormalization": lambda _: "batch normalisation",
    "Dense": lambda config: f"Dense {config['units']}, {config['activation']}",
    "Dropout": lambda config: f"dropout {config['rate']:g}",
    "Normalization": lambda _: "standardised by the training rows",
    "InputLayer": lambda _: "input",
    "Clip": lambda _: "clipped",
    "Take": lambda _: "chosen columns",
    "Flatten": lambda _: "flatten",
    "Reshape": lambda _: "as a picture",
}
