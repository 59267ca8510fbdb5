"""MTG-Jamendo: 55,000 tracks with several tags each, and official splits by artist."""

from collections.abc import Iterator, Sequence

from pipeline.errors import UsageError
from pipeline.library.layouts.layout import (
    TEST,
    TRAIN,
    VALIDATION,
    Layout,
    LayoutReader,
    has,
    read_list,
    require_file,
    table_reader,
)
from pipeline.library.tables.table import MetadataTable, TableRow
from pipeline.text import printable

FOLDER = "data/splits/split-0"
SPLIT = tuple((fold, f"autotagging_genre-{fold}.tsv") for fold in (TRAIN, VALIDATION, TEST))
COLUMNS = ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS")


def _read(libraries: Sequence[str]) -> LayoutReader:
    paths = {
        fold: require_file("mtg-jamendo", libraries, f"{FOLDER}/{name}", f"split-0/{name}", name)
        for fold, name in SPLIT
    }
    rows = (row for fold, path in paths.items() for row in _rows(path, fold))
    table = MetadataTable(source=paths[TRAIN].replace(f"-{TRAIN}.", "-*."), rows=rows, libraries=libraries)
    if not table.rows:
        raise UsageError(f"layout mtg-jamendo: {printable(paths[TRAIN])} has no track; fetch it again")
    return table_reader(table, "the official split 0 of the genre tags of MTG-Jamendo, by artist")


def _rows(path: str, fold: str) -> Iterator[TableRow]:
    """Yield the tracks of one part; each tag is a cell of its own, so that lines differ in length."""
    header, *lines = read_list(path) or ("",)
    if tuple(header.split("\t")) != COLUMNS:
        raise UsageError(
            f"layout mtg-jamendo: {printable(path)} does not begin with {' '.join(COLUMNS)}; fetch it again"
        )
    for number, line in enumerate(lines, start=2):
        _track, artist, _album, entry, _duration, *tags = line.split("\t") if line.count("\t") >= 5 else [""] * 5
        if not entry:
            raise UsageError(f"layout mtg-jamendo: {printable(path)}: line {number} is cut; fetch it again")
        yield TableRow(
            line=number,
            entry=entry,
            others=(entry.replace(".mp3", ".low.mp3"),),  # the set of lower bit rate
            entries={
                "label": tuple(tag.partition("---")[2] or tag for tag in tags if tag),
                "group": (artist,),
                "fold": (fold,),
            },
        )


LAYOUT = Layout(
    name="mtg-jamendo",
    title="MTG-Jamendo",
    gives="its genre tags, artists and official split",
    looks_like=lambda folder: has(folder, f"{FOLDER}/{SPLIT[0][1]}"),
    read=_read,
    has_sides=True,
)
