"""Outputs on single rows and their predictions."""

from pipeline.learning.dataset.load import label_indices
from pipeline.learning.study.measurements import Measurements
from pipeline.report.outputs.sound_figures import labelled_pictures
from pipeline.report.outputs.study import Study
from pipeline.report.view import Chart, Column, Section, Table
from pipeline.report.words import percent
from pipeline.text import printable

EXAMPLES = 10


def examples(study: Study, measurements: Measurements) -> Section | None:
    """Return pictures of rows of the test with their true and predicted classes."""
    del measurements
    if study.rows.x.ndim != 3 or "test" not in study.sides:
        return None
    rows = study.rows.select(study.sample(EXAMPLES, "test"))
    x, owner = rows.x[:EXAMPLES], rows.owner[:EXAMPLES]
    classes = study.manifest.classes
    predicted = study.trained.probabilities(x).argmax(axis=1)
    truth = label_indices(study.manifest)[owner]
    pictures = [
        (
            picture,
            printable(classes[true])
            if true == given
            else f"{printable(classes[true])}, said {printable(classes[given])}",
            bool(true == given),
        )
        for picture, true, given in zip(x, truth, predicted, strict=True)
    ]
    chart = Chart(
        svg=labelled_pictures(pictures, name="Examples of the test with their predictions"),
        caption="Rows of the test drawn at random: what they are; where the model said something else, that too",
        is_wide=True,
    )
    return Section(anchor="examples", title="Examples", blocks=(chart,))


def new_sounds(study: Study, measurements: Measurements) -> Section | None:
    """Return the predictions of the loaded model for sounds made after training."""
    if not measurements.new_sounds:
        return None
    right = sum(sound.truth == sound.label for sound in measurements.new_sounds)
    table = Table(
        caption="New sounds",
        columns=(
            Column(title="Sound"),
            Column(title="Label given"),
            Column(title="Confidence", is_number=True),
        ),
        rows=tuple(
            (printable(sound.truth), printable(sound.label), percent(sound.probability))
            for sound in measurements.new_sounds
        ),
    )
    words = (
        f"The saved model {printable(study.evaluation.model.version)} was loaded again and asked about sounds of "
        f"another loudness and phase, made after it had learned: {right} of {len(measurements.new_sounds)} right."
    )
    return Section(anchor="new-sounds", title="The loaded model on new sounds", words=(words,), blocks=(table,))
