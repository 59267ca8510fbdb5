"""A metadata table in a CSV file: its columns, its rows, and what is odd in them."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from pipeline.errors import UsageError
from pipeline.library.tables.table import ROLES, MetadataTable, Role, TableRow
from pipeline.library.tables.text import encoded_twice, first_bad_byte, read_text, western
from pipeline.text import printable

Columns = Mapping[str, tuple[str, ...]]
"""The names that a column may have, by what it holds; the first found counts."""

COLUMNS: Columns = {
    "path": ("path", "file", "filename", "file_name", "slice_file_name"),
    "label": ("label", "class", "category"),
    "group": ("group",),
    "fold": ("fold",),
}

_END = "\x1eend of the file\x1e"
"""Is read as a row of its own after the last one, unless a quote was opened and never closed."""


def read_metadata(source: str, *, libraries: Sequence[str] = (), columns: Columns = COLUMNS) -> MetadataTable:
    """Return the table of a CSV file: comma, semicolon, tab or bar between; UTF-8, UTF-16 or Windows-1252.

    It needs a column `path` (or file, filename, slice_file_name); label (or class), group and fold are taken where
    they are. Relative paths are resolved beside the CSV file and in each library. Raises `UsageError` for a missing
    file or column, a row without its path, a line in another encoding, a quote that never ends, or two rows that
    contradict each other.
    """
    subject = f"CSV file {printable(source)}"
    text = read_text(source, subject)
    rows = _Rows(subject, text, columns)
    listed = list(rows)
    if not listed:
        raise UsageError(f"{subject}: no rows under its first line; give one per file")
    notes = [*rows.notes()]
    notes += [
        f"column {role} is empty in every line"
        for role in listed[0].entries
        if not any(row.entries[role] for row in listed)
    ]
    return MetadataTable(
        source=source, rows=listed, libraries=libraries, header=printable(", ".join(rows.header)), notes=notes
    )


class _Rows:
    """Reads the rows of a CSV file, and notes what is odd."""

    def __init__(self, subject: str, text: str, columns: Columns) -> None:
        self._subject = subject
        excel = re.match(r"sep=(.)(?=[\r\n])", text)  # a line of Excel's own, above the names of the columns
        text = text[excel.end() :] if excel else text
        first = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
        self._delimiter = excel[1] if excel else max(",;\t|", key=first.count)
        lines = chain(io.StringIO(text, newline=""), ["\n", _END])
        self._reader = csv.reader(lines, delimiter=self._delimiter)
        self._odd: dict[str, tuple[int, str]] = {}
        self._counts: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self.header: list[str] = []
        while not any(self.header):
            self.header = [(western(name) or name).strip() for name in self._next(1)]
        self._at = self._columns(columns)

    def __iter__(self) -> Iterator[TableRow]:
        line = self._reader.line_num + 1
        while (cells := self._next(line)) != [_END]:
            if any(cell.strip() for cell in cells):
                if [(western(cell) or cell).strip() for cell in cells] == self.header:
                    self._note("the names of the columns again; left out", line)
                else:
                    yield self._row(cells, line)
            line = self._reader.line_num + 1

    def notes(self) -> tuple[str, ...]:
        """Return what was odd, each with its first line and how many more have it."""
        return tuple(
            f"line {line} {words}" + (f" (and {more:,} more)" if (more := self._counts[kind] - 1) else "")
            for kind, (line, words) in self._odd.items()
        )

    def _next(self, line: int) -> list[str]:
        try:
            cells = next(self._reader, [_END])
        except csv.Error as error:
            raise UsageError(
                f"{self._subject}: line {self._reader.line_num}: {error}; write it again as CSV in UTF-8"
            ) from error
        if cells != [_END] and cells and cells[-1].endswith(_END):
            raise UsageError(
                f"{self._subject}: line {line}: a quote is opened and never closed; close it, or double it"
            )
        return cells

    def _columns(self, columns: Columns) -> dict[str, int]:
        """Return the position of each column whose name has a meaning."""
        names = [name.lower() for name in self.header]
        positions: dict[str, int] = {}
        for role, accepted in columns.items():
            found = next((name for name in accepted if name in names), None)
            if found is None:
                continue
            if names.count(found) > 1:
                raise UsageError(
                    f"{self._subject}: {names.count(found)} columns are named {printable(found)}; rename one"
                )
            positions[role] = names.index(found)
        if "path" not in positions:
            raise UsageError(
                f"{self._subject}: no column path; the first line must name the columns, e.g. path,label,group,fold"
            )
        return positions

    def _row(self, cells: Sequence[str], line: int) -> TableRow:
        at = self._at
        entry = cells[at["path"]].strip() if len(cells) > max(at.values()) else ""
        if not entry:
            raise UsageError(
                f"{self._subject}: line {line} has {len(cells)} columns or no path; fill it in or take it out"
            )
        entries: dict[Role, tuple[str, ...]] = {}
        for role in ROLES:
            if role in at:
                value = self._text(cells[at[role]].strip(), line)
                entries[role] = (value,) if value else ()
        for cell in (entry, *(value for values in entries.values() for value in values)):
            if self._delimiter in cell and ("\n" in cell or "\r" in cell):
                raise UsageError(
                    f"{self._subject}: line {line}: a quote is opened there and closed lines later; "
                    "close it, or double it"
                )
        if first_bad_byte(entry) is not None:
            self._note_encoding(entry, line)
        return TableRow(line=line, entry=entry, entries=entries)

    def _text(self, cell: str, line: int) -> str:
        """Return a label, group or fold as text. Raises `UsageError` where nobody knows what it says."""
        text = western(cell)
        if text is None:
            raise UsageError(
                f"{self._subject}: line {line} is neither UTF-8 nor Windows-1252 (byte {first_bad_byte(cell):02X}); "
                "write it again as CSV in UTF-8"
            )
        if text != cell:
            self._note_encoding(cell, line)
        elif (before := encoded_twice(text)) is not None:
            self._note(
                f"looks as if it was encoded twice: {printable(text)} may be {printable(before)}; kept as it is",
                line,
                kind="twice",
            )
        if "\ufffd" in text:
            self._note(f"has lost letters before: {printable(text)}; correct it", line, kind="lost")
        return text

    def _note_encoding(self, cell: str, line: int) -> None:
        self._note(f"is not UTF-8 (byte {first_bad_byte(cell):02X}); read as Windows-1252", line, kind="encoding")

    def _note(self, words: str, line: int, *, kind: str = "") -> None:
        kind = kind or words
        if kind not in self._odd:
            self._odd[kind] = (line, words)
        self._counts[kind] = self._counts.get(kind, 0) + (self._last.get(kind) != line)
        self._last[kind] = line
