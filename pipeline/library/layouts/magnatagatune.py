"""MagnaTagATune: 25,863 clips with several tags each, in the folders 0 to f."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.library.layouts.layout import (
    TEST,
    TRAIN,
    VALIDATION,
    Layout,
    LayoutReader,
    has,
    require_file,
    table_reader,
)
from pipeline.library.tables.table import MetadataTable, TableRow
from pipeline.text import printable

TABLE = "annotations_final.csv"
_EMPTY = "is empty in every copy"
_CLIP = re.compile(r"-\d+-\d+\.mp3$")
"""Ends the name of a clip: its seconds within the song."""

FOLDS = {**dict.fromkeys("0123456789ab", TRAIN), "c": VALIDATION, **dict.fromkeys("def", TEST)}
"""The customary split, by folder."""


def _read(libraries: Sequence[str]) -> LayoutReader:
    path = require_file("magnatagatune", libraries, TABLE)
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file, delimiter="\t")
            table = MetadataTable(source=path, rows=_rows(lines, path), libraries=libraries)
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"layout magnatagatune: {printable(path)}: {error}; fetch it again") from error
    if not table.rows:
        raise UsageError(f"layout magnatagatune: {printable(path)} has no clip; fetch it again")
    return table_reader(
        table,
        "the customary split of MagnaTagATune by folder: 0 to b train, c validates, d to f test; clips of a song stay "
        "together, artists need not",
    )


def _rows(lines: Iterator[list[str]], path: str) -> Iterator[TableRow]:
    header = next(lines, [])
    if len(header) < 3 or (header[0], header[-1]) != ("clip_id", "mp3_path"):
        raise UsageError(f"layout magnatagatune: {printable(path)} has no columns clip_id ... mp3_path; fetch it again")
    for number, cells in enumerate(lines, start=2):
        if len(cells) != len(header):
            raise UsageError(f"layout magnatagatune: {printable(path)}: line {number} is cut; fetch it again")
        entry = cells[-1]
        fold = FOLDS.get(entry[:1].lower())
        yield TableRow(
            line=number,
            entry=entry,
            entries={
                "label": tuple(tag for tag, cell in zip(header[1:-1], cells[1:-1], strict=True) if cell == "1"),
                "group": (_CLIP.sub("", entry),),
                "fold": (fold,) if fold else (),
            },
        )


LAYOUT = Layout(
    name="magnatagatune",
    title="MagnaTagATune",
    gives="its tags, songs and customary split",
    looks_like=lambda folder: has(folder, TABLE),
    read=_read,
    has_sides=True,
    faults=dict.fromkeys(
        (
            "norine_braun-now_and_zen-08-gently-117-146",
            "jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233",
            "american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_couperin-88-117",
        ),
        _EMPTY,
    ),
)
