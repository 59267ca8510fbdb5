"""The section on values that could not be learned from."""

from pipeline.learning.dataset.flaws import Flaw
from pipeline.learning.dataset.manifests import DatasetManifest
from pipeline.report.view import Block, Column, Section, Table, first_rows
from pipeline.report.words import count, quantity, relative_path
from pipeline.text import printable

MOST_COLUMNS = 12


def unusable_section(manifest: DatasetManifest, libraries: tuple[str, ...]) -> Section:
    """Return the section on NaN and infinite values, by track and column, and on columns that never vary."""
    words, blocks = [], []
    for flaws, what in (
        (manifest.flaws, "the other rows of these tracks were used"),
        (manifest.excluded_flaws, "these tracks have no other row of that family, so they were left out"),
    ):
        if flaws:
            rows, tracks = sum(flaw.rows for flaw in flaws), len({flaw.path for flaw in flaws})
            words.append(
                f"{quantity(rows, 'row')} of {quantity(tracks, 'track')} {'holds' if rows == 1 else 'hold'} NaN or "
                f"infinite values and {'was' if rows == 1 else 'were'} left out of everything; {what}."
            )
            blocks.append(_flaws(flaws, libraries))
    if not blocks:
        words.append("Every row that was used is finite: no NaN, nothing infinite.")
    if manifest.constant:
        columns = sum(map(len, manifest.constant.values()))
        words.append(
            f"{quantity(columns, 'column')} {'has' if columns == 1 else 'have'} one value in all rows: no model can "
            "learn from that. Such a column is shifted to 0 and not divided by its deviation of 0."
        )
        blocks.append(_constant(manifest))
    else:
        words.append("No column is constant.")
    all_blocks: tuple[Block, ...] = tuple(blocks)
    return Section(anchor="unusable", title="Values that could not be used", words=tuple(words), blocks=all_blocks)


def _flaws(flaws: tuple[Flaw, ...], libraries: tuple[str, ...]) -> Table:
    rows, note = first_rows(
        [
            (
                relative_path(flaw.path, libraries),
                printable(flaw.features),
                ", ".join(map(printable, flaw.columns)),
                count(flaw.rows),
                count(flaw.of),
            )
            for flaw in flaws
        ]
    )
    return Table(
        caption="Rows left out",
        columns=(
            Column(title="File", is_code=True),
            Column(title="Family"),
            Column(title="Columns", is_prose=True),
            Column(title="Rows left out", is_number=True),
            Column(title="Of", is_number=True),
        ),
        rows=rows,
        note=note,
        is_folded=len(flaws) > 10,
    )


def _constant(manifest: DatasetManifest) -> Table:
    rows = []
    for name, columns in manifest.constant.items():
        more = f" and {len(columns) - MOST_COLUMNS} more" if len(columns) > MOST_COLUMNS else ""
        rows.append((printable(name), count(len(columns)), ", ".join(map(printable, columns[:MOST_COLUMNS])) + more))
    return Table(
        caption="Columns that never vary",
        columns=(Column(title="Family"), Column(title="Columns", is_number=True), Column(title="Which", is_prose=True)),
        rows=tuple(rows),
    )
