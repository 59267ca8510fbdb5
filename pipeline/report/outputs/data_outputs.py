"""Outputs on the dataset: shares of labels, columns, files per class."""

from collections import Counter

import numpy as np

from pipeline.learning.dataset.load import label_indices
from pipeline.learning.study.measurements import Measurements
from pipeline.report.outputs.row_figures import MOST_POINTS, columns_by_label, columns_over_index, pie
from pipeline.report.outputs.study import Study
from pipeline.report.view import Chart, Column, Section, Table, first_rows
from pipeline.report.words import count, percent, quantity
from pipeline.text import printable

MOST_COLUMNS = 24
_ABOUT_COLUMNS = (
    "A column in which the labels lie apart can tell them apart by itself. Steps within a label are songs, and a model "
    "that learns those knows songs and no genre."
)


def label_shares(study: Study, measurements: Measurements) -> Section:
    """Return the share of each label among rows and tracks, and the checks of the rows."""
    del measurements
    rows, classes = study.rows, study.manifest.classes
    originals = ~rows.is_copy
    labels = label_indices(study.manifest)
    by_row = np.bincount(labels[rows.owner[originals]], minlength=len(classes))
    by_track = np.bincount(labels, minlength=len(classes))
    total = int(by_row.sum())
    shape = " x ".join(map(count, (total, *rows.x.shape[1:])))
    of_excluded = [flaw for flaw in study.manifest.excluded_flaws if flaw.features == study.spec.features]
    unusable = rows.dropped + sum(flaw.rows for flaw in of_excluded)
    dropped = f"{quantity(unusable, 'row')} with NaN or infinite values {'was' if unusable == 1 else 'were'} left out."
    words = (
        f"Rows of {printable(study.spec.features)}: an array of {shape}. "
        + (dropped if unusable else "No row holds NaN or infinite values."),
    )
    listed, note = first_rows(
        [
            (
                printable(label),
                count(int(by_track[index])),
                count(int(by_row[index])),
                percent(by_row[index] / max(total, 1)),
            )
            for index, label in enumerate(classes)
        ]
    )
    table = Table(
        caption="Share of each label",
        columns=(
            Column(title="Label"),
            *(Column(title=title, is_number=True) for title in ("Tracks", "Rows", "Of all rows")),
        ),
        rows=listed,
        note=note,
    )
    return Section(anchor="label-shares", title="What there is of each label", words=words, blocks=(table,))


def columns(study: Study, measurements: Measurements) -> Section | None:
    """Return each column over the rows' index and by label; None for rows that are matrices."""
    del measurements
    rows = study.rows
    if rows.x.ndim != 2:
        return None
    names = [printable(column) for column in study.features.columns[: min(MOST_COLUMNS, rows.x.shape[1])]]
    x, y = rows.x[~rows.is_copy], label_indices(study.manifest)[rows.owner[~rows.is_copy]]
    classes = study.manifest.classes
    sampling = f"every {len(x) // MOST_POINTS}th row" if len(x) >= 2 * MOST_POINTS else "every row"
    caption = f"Columns over the index of the data, in the order of the tracks' paths; {sampling}"
    return Section(
        anchor="columns",
        title="The features, one by one",
        words=(_ABOUT_COLUMNS,),
        blocks=(
            Chart(
                svg=columns_over_index(x, y, names, classes, name="Features over the data index"),
                caption=caption,
                is_wide=True,
            ),
            Chart(
                svg=columns_by_label(x, y, names, classes, name="Features by label"),
                caption="Columns by label: median, quartiles, 5th to 95th percentile",
                is_wide=True,
            ),
        ),
    )


def files(study: Study, measurements: Measurements) -> Section:
    """Return a pie of the files of each class."""
    del measurements
    # Where rows are split, a file is listed once for each of them.
    counts = Counter(label for _, label in {(track.path, track.label) for track in study.manifest.tracks})
    chart = Chart(svg=pie(counts, name="Pie chart of files per class"), caption="Files per class")
    words = (f"{quantity(sum(counts.values()), 'file')} in {quantity(len(counts), 'class', 'classes')}.",)
    return Section(anchor="files", title="Files per class", words=words, blocks=(chart,))
