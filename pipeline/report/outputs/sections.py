"""The sections of a recipe's outputs, in the order the recipe names them."""

from collections.abc import Callable, Mapping

from pipeline.learning.study.measurements import Measurements
from pipeline.plans.recipe import OutputName
from pipeline.report.outputs import data_outputs, example_outputs, network_outputs, row_outputs, sound_outputs
from pipeline.report.outputs.study import Study
from pipeline.report.view import Section
from pipeline.text import printable

OUTPUTS: Mapping[OutputName, Callable[[Study, Measurements], Section | None]] = {
    "label_shares": data_outputs.label_shares,
    "columns": data_outputs.columns,
    "files": data_outputs.files,
    "waveforms": sound_outputs.waveforms,
    "spectra": sound_outputs.spectra,
    "ranges": sound_outputs.ranges,
    "recordings": sound_outputs.recordings,
    "sides": row_outputs.sides,
    "softmax": row_outputs.softmax,
    "retrained": row_outputs.retrained,
    "untrained": row_outputs.untrained,
    "layers": network_outputs.layers,
    "weights": network_outputs.weights,
    "layouts": network_outputs.layouts,
    "regions": network_outputs.regions,
    "examples": example_outputs.examples,
    "new_sounds": example_outputs.new_sounds,
}


def sections(study: Study, measurements: Measurements) -> tuple[Section, ...]:
    """Return the sections of the recipe's outputs; without those that do not apply to this study."""
    if measurements.trouble:
        words = (f"Could not be made: {printable(measurements.trouble)}.",)
        return (Section(anchor="outputs", title="The recipe's outputs", words=words),)
    built = (OUTPUTS[name](study, measurements) for name in study.recipe.outputs)
    return tuple(section for section in built if section is not None)
