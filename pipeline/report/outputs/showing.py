"""The sections of a recipe's outputs, in the order the recipe names them."""

from collections.abc import Callable, Mapping

from pipeline.learning.study.measured import Measured
from pipeline.plans.recipe import OutputName
from pipeline.report.outputs import of_data, of_examples, of_networks, of_rows, of_sounds
from pipeline.report.outputs.study import Study
from pipeline.report.view import Section
from pipeline.text import printable

_OUTPUTS: Mapping[OutputName, Callable[[Study, Measured], Section | None]] = {
    "label_shares": of_data.label_shares,
    "columns": of_data.columns,
    "files": of_data.files,
    "waveforms": of_sounds.waveforms,
    "spectra": of_sounds.spectra,
    "ranges": of_sounds.ranges,
    "recordings": of_sounds.recordings,
    "sides": of_rows.sides,
    "softmax": of_rows.softmax,
    "retrained": of_rows.retrained,
    "untrained": of_rows.untrained,
    "layers": of_networks.layers,
    "weights": of_networks.weights,
    "layouts": of_networks.layouts,
    "regions": of_networks.regions,
    "examples": of_examples.examples,
    "new_sounds": of_examples.new_sounds,
}


def sections(study: Study, measured: Measured) -> tuple[Section, ...]:
    """Return the sections of the recipe's outputs; without those that have nothing to show of this study."""
    if measured.trouble:
        words = (f"Could not be made: {printable(measured.trouble)}.",)
        return (Section(anchor="outputs", title="The recipe's outputs", words=words),)
    shown = (_OUTPUTS[name](study, measured) for name in study.recipe.outputs)
    return tuple(section for section in shown if section is not None)
