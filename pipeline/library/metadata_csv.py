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
    """One line: its number, the possible paths of its file, and its entries."""

    line: int
    paths: tuple[str, ...]
    entries: dict[Role, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataTable:
    """The rows of a CSV file, by path."""

    source: str
    """The CSV file."""
    header: str
    """Its columns, for messages."""
    columns: frozenset[Role]
    """The roles that it has columns for."""
    by_path: dict[str, _Row]
    by_name: dict[str, _Row | None]
    """By file name; None where several rows share it."""

    def row(self, path: str) -> Mapping[Role, str | None] | None:
        """Return the entries of an absolute path: of the row of that path, else of its file name alone.

        A row counts by its name only when the name is in the table once and no file has the row's own path: the row of
        `a/1.wav` is not that of `b/1.wav` where both exist.
        """
        normal = _normal(path)
        if row := self.by_path.get(normal):
            return row.entries
        row = self.by_name.get(_name(normal))
        if row is None or any(os.path.lexists(other) for other in row.paths):
            return None
        return row.entries


def read_metadata(source: str, *, libraries: Sequence[str] = ()) -> MetadataTable:
    """Return the table of a CSV file: comma, semicolon or tab between, UTF-8 (with or without a mark) or UTF-16.

    It needs a column `path` (or file, filename, slice_file_name); label (or class), group and fold are taken where
    they are. Relative paths are resolved beside the CSV file and in each library. Raises `UsageError` for a missing
    file or column, a row without its path, or two rows that contradict each other.
    """
    subject = f"CSV file {printable(source)}"
    text = _text(source, subject)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    folders = [os.path.abspath(folder) for folder in (os.path.dirname(source) or os.curdir, *libraries)]
    by_path: dict[str, _Row] = {}
    by_name: dict[str, _Row | None] = {}
    try:
        header = [name.strip() for name in next(lines, [])]
        at = _columns(header)
        if "path" not in at:
            raise UsageError(
                f"{subject}: no column path; the first line must name the columns, e.g. path,label,group,fold"
            )
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            row, name = _row(cells, at, lines.line_num, folders, subject)
            if (other := by_path.get(row.paths[0])) and other.paths == row.paths:
                if other.entries != row.entries:
                    raise UsageError(
                        f"{subject}: lines {other.line} and {row.line} say different things of "
                        f"{printable(name)}; keep one"
                    )
                continue
            for path in row.paths:
                by_path.setdefault(path, row)
            by_name[name] = None if name in by_name else row
    except csv.Error as error:
        raise UsageError(f"{subject}: line {lines.line_num}: {error}; write it again as CSV in UTF-8") from error
    if not by_path:
        raise UsageError(f"{subject}: no rows under its first line; give one per file")
    return MetadataTable(
        source=source,
        header=printable(", ".join(header)),
        columns=frozenset(role for role in _ROLES if role in at),
        by_path=by_path,
        by_name=by_name,
    )


def _text(source: str, subject: str) -> str:
    try:
        raw = Path(source).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{subject}: {reason}; give a CSV file with the columns path,label") from error
    try:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return raw.decode("utf-16")
    except UnicodeDecodeError as error:
        raise UsageError(f"{subject}: not valid UTF-16 ({error.reason}); write it again in UTF-8") from error
    # As in file names, bytes that are no UTF-8 become surrogates, so they still match those names.
    return raw.decode("utf-8-sig", "surrogateescape")


def _delimiter(text: str) -> str:
    """Return the delimiter that the first line has most of."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Return the position of each column whose name has a meaning."""
    by_name = {name.lower(): i for i, name in reversed(list(enumerate(header)))}
    positions = {}
    for role, names in _HEADERS.items():
        for name in names:
            if name in by_name:
                positions[role] = by_name[name]
                break
    return positions


def _row(
    cells: Sequence[str], at: Mapping[str, int], line: int, folders: Sequence[str], subject: str
) -> tuple[_Row, str]:
    """Return a row and the bare name of its file."""
    if len(cells) <= max(at.values()) or not (entry := cells[at["path"]].strip()):
        raise UsageError(f"{subject}: line {line} has {len(cells)} columns or no path; fill it in or take it out")
    paths = tuple(dict.fromkeys(_normal(os.path.join(folder, entry)) for folder in folders))
    entries: dict[Role, str | None] = {role: cells[at[role]].strip() or None for role in _ROLES if role in at}
    return _Row(line=line, paths=paths, entries=entries), _name(_normal(entry))


def _name(path: str) -> str:
    """Return a path's last part, whichever system wrote it."""
    return re.split(r"[\\/]", path)[-1]


def _normal(path: str) -> str:
    """Return one spelling per path: no dots and doubles, and one Unicode form (macOS hands out another)."""
    return unicodedata.normalize("NFC", os.path.normpath(path))
