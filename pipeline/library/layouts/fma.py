"""FMA: the Free Music Archive's tracks, by artist, with an official split."""

import csv
from collections.abc import Iterator, Mapping, Sequence
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

TABLE = "fma_metadata/tracks.csv"
SUBSETS = ("small", "medium", "large")
"""Each holds those before it; `full` holds all."""

_FOLDS = {"training": TRAIN, "validation": VALIDATION, "test": TEST}
_CLIPPED = "holds less than 2 s of sound"
_SILENT = "holds no sound"


def _read(libraries: Sequence[str]) -> LayoutReader:
    path = require_file("fma", libraries, TABLE, "tracks.csv")
    subset = _subset_of(libraries)
    titles = _genre_titles(path)
    limit = csv.field_size_limit(1 << 24)  # it has whole biographies of artists
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            table = MetadataTable(source=path, rows=_rows(csv.reader(file), path, subset, titles), libraries=libraries)
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"layout fma: {printable(path)}: {error}; unpack it again") from error
    finally:
        csv.field_size_limit(limit)
    if not table.rows:
        raise UsageError(f"layout fma: {printable(path)} has no track; unpack it again")
    which = f"fma_{subset}" if subset else "FMA"
    return table_reader(table, f"the official split of {which}: training, validation and test by artist")


def _subset_of(libraries: Sequence[str]) -> str | None:
    """Return the subset that the libraries are by a name in their paths, e.g. of `fma_small`; None for all."""
    parts = {part for library in libraries for part in Path(library).parts}
    return next((subset for subset in SUBSETS if f"fma_{subset}" in parts), None)


def _rows(lines: Iterator[list[str]], path: str, subset: str | None, titles: Mapping[str, str]) -> Iterator[TableRow]:
    """Yield the tracks of a table whose first two lines name its columns, and whose third names the index."""
    at = {names: position for position, names in enumerate(zip(next(lines, []), next(lines, []), strict=False))}
    wanted = (("track", "genre_top"), ("set", "split"), ("set", "subset"), ("artist", "id"))
    if absent := [".".join(names) for names in wanted if names not in at]:
        raise UsageError(f"layout fma: {printable(path)} has no column {', '.join(absent)}; is it FMA's tracks.csv?")
    genre, split, size, artist = (at[names] for names in wanted)
    genres = at.get(("track", "genres"))
    kept = None if subset is None else SUBSETS[: SUBSETS.index(subset) + 1]
    for number, cells in enumerate(lines, start=3):
        if len(cells) <= max(genre, split, size, artist) or not cells[0].isdecimal():
            continue
        if kept is not None and cells[size] not in kept:
            continue
        name = f"{int(cells[0]):06d}"
        more = () if genres is None or not cells[genre] else _titles(cells[genres], titles)
        yield TableRow(
            line=number,
            entry=f"{name[:3]}/{name}.mp3",
            entries={
                "label": tuple(dict.fromkeys(label for label in (cells[genre], *more) if label)),
                "group": (cells[artist],) if cells[artist] else (),
                "fold": (_FOLDS.get(cells[split], cells[split]),) if cells[split] else (),
            },
        )


def _titles(genres: str, titles: Mapping[str, str]) -> tuple[str, ...]:
    """Return the titles of genres written as `[21, 76]`."""
    return tuple(titles[number] for number in genres.strip("[] ").replace(" ", "").split(",") if number in titles)


def _genre_titles(tracks: str) -> dict[str, str]:
    """Return the titles of genres by number, of the table beside that of the tracks; none where there is none."""
    path = Path(tracks).with_name("genres.csv")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["genre_id"]: row["title"] for row in csv.DictReader(file)}
    except (OSError, KeyError, csv.Error, UnicodeDecodeError):
        return {}


LAYOUT = Layout(
    name="fma",
    title="FMA",
    gives="its genres, artists and official split",
    looks_like=lambda folder: has(folder, TABLE),
    read=_read,
    has_sides=True,
    faults={
        **dict.fromkeys(("098565", "098567", "098569"), _CLIPPED),
        **dict.fromkeys(("099134", "108925", "133297"), _SILENT),
    },
)
