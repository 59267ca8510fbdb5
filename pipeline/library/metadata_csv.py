"""A metadata table: a CSV file with a path per row, and a label, a group or a fold for it."""

# Paths are text here, a million at a time, and abspath is wanted where resolve would follow links.
# ruff: noqa: PTH100, PTH118, PTH120
import codecs
import csv
import io
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.errors import UsageError
from pipeline.text import printable

Role = Literal["label", "group", "fold"]

_HEADERS: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "file", "filename", "file_name", "slice_file_name"),
    "label": ("label", "class", "category"),
    "group": ("group",),
    "fold": ("fold",),
}
"""Names a column may have; the first found counts."""

_ROLES: tuple[Role, ...] = ("label", "group", "fold")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One line: its number, where its file may lie, and what it says."""

    line: int
    places: tuple[str, ...]
    entries: dict[Role, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataTable:
    """What a CSV file says of each path."""

    source: str
    """The CSV file."""
    header: str
    """Its columns, for messages."""
    columns: frozenset[Role]
    """What it can tell."""
    by_place: dict[str, _Row]
    by_name: dict[str, _Row | None]
    """By file name; None where several rows share it."""

    def row(self, path: str) -> Mapping[Role, str | None] | None:
        """Return what the table says of an absolute path: the row of that path, else of its file name alone.

        A row counts by its name only when the name is in the table once and the row's own path leads nowhere:
        `a/1.wav` says nothing of `b/1.wav` where both exist.
        """
        place = _normal(path)
        if row := self.by_place.get(place):
            return row.entries
        row = self.by_name.get(_name(place))
        if row is None or any(os.path.lexists(other) for other in row.places):
            return None
        return row.entries


def read_metadata(source: str, *, libraries: Sequence[str] = ()) -> MetadataTable:
    """Return the table of a CSV file: comma, semicolon or tab between, UTF-8 (with or without a mark) or UTF-16.

    It needs a column `path` (or file, filename, slice_file_name); label (or class), group and fold are taken where
    they are. Relative paths are looked up beside the CSV file and in each library. Raises `UsageError` for a missing
    file or column, a row without its path, or two rows that contradict each other.
    """
    shown = f"CSV file {printable(source)}"
    text = _text(source, shown)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    folders = [os.path.abspath(folder) for folder in (os.path.dirname(source) or os.curdir, *libraries)]
    by_place: dict[str, _Row] = {}
    by_name: dict[str, _Row | None] = {}
    try:
        header = [name.strip() for name in next(lines, [])]
        at = _columns(header)
        if "path" not in at:
            raise UsageError(
                f"{shown}: no column path; the first line must name the columns, e.g. path,label,group,fold"
            )
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            row, name = _row(cells, at, lines.line_num, folders, shown)
            if (other := by_place.get(row.places[0])) and other.places == row.places:
                if other.entries != row.entries:
                    raise UsageError(
                        f"{shown}: lines {other.line} and {row.line} say different things of "
                        f"{printable(name)}; keep one"
                    )
                continue
            for place in row.places:
                by_place.setdefault(place, row)
            by_name[name] = None if name in by_name else row
    except csv.Error as error:
        raise UsageError(f"{shown}: line {lines.line_num}: {error}; write it again as CSV in UTF-8") from error
    if not by_place:
        raise UsageError(f"{shown}: no rows under its first line; give one per file")
    return MetadataTable(
        source=source,
        header=printable(", ".join(header)),
        columns=frozenset(role for role in _ROLES if role in at),
        by_place=by_place,
        by_name=by_name,
    )


def _text(source: str, shown: str) -> str:
    try:
        raw = Path(source).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{shown}: {reason}; give a CSV file with the columns path,label") from error
    try:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return raw.decode("utf-16")
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown}: not valid UTF-16 ({error.reason}); write it again in UTF-8") from error
    # As in file names, bytes that are no UTF-8 become surrogates, so they still match the names they stand for.
    return raw.decode("utf-8-sig", "surrogateescape")


def _delimiter(text: str) -> str:
    """Return the delimiter that the first line has most of."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Return the position of each column that is known."""
    positions = {name.lower(): i for i, name in reversed(list(enumerate(header)))}
    found = {}
    for role, names in _HEADERS.items():
        for name in names:
            if name in positions:
                found[role] = positions[name]
                break
    return found


def _row(
    cells: Sequence[str], at: Mapping[str, int], line: int, folders: Sequence[str], shown: str
) -> tuple[_Row, str]:
    """Return a row and the bare name of its file."""
    if len(cells) <= max(at.values()) or not (told := cells[at["path"]].strip()):
        raise UsageError(f"{shown}: line {line} has {len(cells)} columns or no path; fill it in or take it out")
    places = tuple(dict.fromkeys(_normal(os.path.join(folder, told)) for folder in folders))
    entries: dict[Role, str | None] = {role: cells[at[role]].strip() or None for role in _ROLES if role in at}
    return _Row(line=line, places=places, entries=entries), _name(_normal(told))


def _name(path: str) -> str:
    """Return a path's last part, whichever system wrote it."""
    return re.split(r"[\\/]", path)[-1]


def _normal(path: str) -> str:
    """Return one spelling per path: no dots and doubles, and one Unicode form (macOS hands out another)."""
    return unicodedata.normalize("NFC", os.path.normpath(path))
