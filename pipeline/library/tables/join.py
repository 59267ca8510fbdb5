"""What a table and the files of a scan have in common, and what of either finds nothing in the other."""

import os

from pipeline.library.tables.spellings import is_rewritten
from pipeline.library.tables.table import MetadataTable
from pipeline.library.tables.text import western
from pipeline.text import printable
from pipeline.wire import Value


class TableJoin(Value, frozen=True, kw_only=True):
    """The counts of one table against the files of a scan."""

    source: str
    """The table's file."""
    rows: int
    files: int
    """Files that have a row."""
    rows_without_file: int = 0
    row_example: str = ""
    """The path of one of them, as it is written."""
    files_without_row: int = 0
    file_example: str = ""
    rows_of_several: int = 0
    """Rows that could be those of several files, of one name in different folders, and are those of none."""
    several_example: str = ""
    by_name: int = 0
    """Files whose row names other folders: matched by the end of the path."""
    by_case: int = 0
    """Files whose row differs from their path in upper and lower case."""
    rewritten: int = 0
    """Files whose row has a path as Windows or a URL writes it."""
    notes: tuple[str, ...] = ()
    """What was odd in the table, by line."""


class JoinTally:
    """Counts the files that a table has rows for, and its rows that have files."""

    def __init__(self, table: MetadataTable) -> None:
        self._table = table
        self._matched = bytearray(len(table.rows))  # 0: no file, 1: one, 2: one of several, or several
        self._without = 0
        self._without_example = ""
        self._files = 0
        self._counts = {"path": 0, "case": 0, "name": 0}
        self._rewritten = 0

    def add(self, path: str) -> None:
        """Count a file by its absolute path."""
        found = self._table.match(path)
        if found is not None and found.how == "several":
            self._matched[found.position] = self._matched[found.position] or 2
            found = None
        if found is None:
            self._without += 1
            self._without_example = self._without_example or path
            return
        self._files += 1
        self._matched[found.position] = 2 if self._matched[found.position] == 1 else 1
        if is_rewritten(self._table.rows[found.position].entry, path):
            self._rewritten += 1
        else:
            self._counts[found.how] += 1

    def join(self) -> TableJoin:
        """Return the counts."""
        rows = self._table.rows
        lost, several = self._matched.find(0), self._matched.find(2)
        return TableJoin(
            source=self._table.source,
            rows=len(rows),
            files=self._files,
            rows_without_file=self._matched.count(0),
            row_example=_shown(rows[lost].entry) if lost >= 0 else "",
            files_without_row=self._without,
            file_example=printable(self._without_example),
            rows_of_several=self._matched.count(2),
            several_example=_shown(rows[several].entry) if several >= 0 else "",
            by_name=self._counts["name"],
            by_case=self._counts["case"],
            rewritten=self._rewritten,
            notes=self._table.notes,
        )


def describe_join(join: TableJoin) -> tuple[str, ...]:
    """Return what a table and a scan do not have in common in words, one line each; nothing where all is well."""
    name = printable(os.path.basename(join.source))  # noqa: PTH119 - keeps odd bytes
    words = [f"{name}: {note}" for note in join.notes]
    if join.rows_without_file:
        rows, match = _number(join.rows_without_file, "row"), "matches" if join.rows_without_file == 1 else "match"
        words.append(f"{rows} of {name} {match} no file, e.g. {join.row_example}")
    if join.files_without_row:
        files, have = _number(join.files_without_row, "file"), "has" if join.files_without_row == 1 else "have"
        words.append(f"{files} {have} no row in {name}, e.g. {join.file_example}")
    if join.rows_of_several:
        rows, match = _number(join.rows_of_several, "row"), "matches" if join.rows_of_several == 1 else "match"
        words.append(
            f"{rows} of {name} {match} several files by name, e.g. {join.several_example}; give their folders too"
        )
    for count, how in (
        (join.by_name, "by the end of the path alone, as the folders are others"),
        (join.by_case, "whose paths differ in upper and lower case"),
        (join.rewritten, "whose paths are written as Windows or a URL writes them"),
    ):
        if count:
            words.append(f"{_number(count, 'file')} matched to rows of {name} {how}")
    return tuple(words)


def _shown(entry: str) -> str:
    """Return a path of a table as the table is read, for messages."""
    return printable(western(entry) or entry)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
