"""A metadata table: a path per row, and labels, a group or a fold for it; and which row is a file's."""

# Paths are text here, a million at a time, and abspath is wanted where resolve would follow links.
# ruff: noqa: PTH100, PTH118, PTH120, PTH121
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pipeline.errors import UsageError
from pipeline.library.tables.census import FileCensus
from pipeline.library.tables.spellings import folded, path_parts, spellings
from pipeline.text import printable

Role = Literal["label", "group", "fold"]
ROLES: tuple[Role, ...] = ("label", "group", "fold")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One line: its number, the path as it is written, and its entries by role."""

    line: int
    entry: str
    entries: Mapping[Role, tuple[str, ...]]
    others: tuple[str, ...] = ()
    """Other paths that the file may have, as in sets whose files come in two encodings."""


class Match(NamedTuple):
    """The row of a file, and how it was found."""

    position: int
    """Of the row, counted from 0."""
    how: Literal["path", "case", "name", "several"]
    """By the row's path; by it but for upper and lower case; by the end of it, the folders being others. `several`:
    the row could as well be that of another file, and is that of none."""


class MetadataTable:
    """The rows of a table, by path."""

    def __init__(
        self,
        *,
        source: str,
        rows: Iterable[TableRow],
        libraries: Sequence[str] = (),
        header: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        """Take the rows of a file; relative paths are resolved beside it and in each library.

        Raises `UsageError` for two rows that contradict each other.
        """
        self.source = source
        """The file."""
        self.header = header
        """Its columns, for messages."""
        self.notes = tuple(notes)
        """What was odd in it."""
        self.rows: list[TableRow] = []
        self._by_path: dict[str, int] = {}
        self._by_name: dict[str, tuple[int, ...]] = {}
        self._folders = [os.path.abspath(folder) for folder in (os.path.dirname(source) or os.curdir, *libraries)]
        self._census = FileCensus([os.path.abspath(library) for library in libraries])
        self._last: tuple[str, Match | None] = ("", None)
        for row in rows:
            self._add(row)

    @property
    def columns(self) -> frozenset[Role]:
        """The roles that it has columns for."""
        return frozenset(self.rows[0].entries)

    def is_filled(self, role: Role) -> bool:
        """Return whether some row has an entry for a role."""
        return any(row.entries.get(role) for row in self.rows)

    def values(self, path: str, role: Role) -> tuple[str, ...]:
        """Return what the row of an absolute path says; nothing where it has none."""
        found = self.match(path)
        return self.rows[found.position].entries.get(role, ()) if found and found.how != "several" else ()

    def match(self, path: str) -> Match | None:
        """Return the row of an absolute path: that of the path, else the one whose path has the longest end in common.

        The name must be in common, the row must be the only one with an end as long, and the file the only one in the
        libraries. A row whose own path leads to another file is not taken: the row of `a/1.wav` is not that of
        `b/1.wav` where both exist.
        """
        last = self._last  # asked for label, group and fold in turn
        if path != last[0]:
            last = self._last = path, self._match(path)
        return last[1]

    def _match(self, path: str) -> Match | None:
        normal = _normal(path)
        if (position := self._by_path.get(normal)) is not None:
            return Match(position, "path")
        candidates = self._by_name.get(folded(normal.rpartition("/")[2]))
        if candidates is None:
            return None
        parts = path_parts(normal)
        found = self._best(candidates, parts)
        if found is None or self._leads_elsewhere(found.position, path):
            return None
        return found._replace(how="several") if self._has_rival(self.rows[found.position], path, parts) else found

    def _has_rival(self, row: TableRow, path: str, parts: Sequence[str]) -> bool:
        """Return whether another file of the libraries has as long an end in common with a row."""
        rivals = [other for other in self._census.of_name(parts[-1]) if _normal(other) != _normal(path)]
        own = _longest_end(row, parts)
        return any(_longest_end(row, path_parts(_normal(rival))) >= own for rival in rivals)

    def _best(self, candidates: Sequence[int], parts: Sequence[str]) -> Match | None:
        """Return the one row that has the longest end in common with a path; None for several."""
        ranked: list[tuple[tuple[int, int], Match]] = []
        for position in candidates:
            row = self.rows[position]
            length, exact, complete = _longest_end(row, parts)
            how: Literal["path", "case", "name"] = "name" if not complete else "path" if exact == length else "case"
            ranked.append(((length, exact), Match(position, how)))
        best = max(rank for rank, _ in ranked)
        first, *more = [match for rank, match in ranked if rank == best]
        return None if more else first

    def _leads_elsewhere(self, position: int, path: str) -> bool:
        for other in self._paths(self.rows[position]):
            if os.path.lexists(other) and not _is_same_file(other, path):
                return True
        return False

    def _paths(self, row: TableRow) -> tuple[str, ...]:
        """Return the absolute paths that a row may mean."""
        spelled = _all_spellings(row)
        return tuple(dict.fromkeys(_normal(os.path.join(folder, path)) for path in spelled for folder in self._folders))

    def _add(self, row: TableRow) -> None:
        paths = self._paths(row)
        known = self._by_path.get(paths[0])
        if known is not None and self._paths(self.rows[known]) == paths:
            if self.rows[known].entries != row.entries:
                raise UsageError(
                    f"CSV file {printable(self.source)}: lines {self.rows[known].line} and {row.line} say different "
                    f"things of {printable(path_parts(row.entry)[-1])}; keep one"
                )
            return
        position = len(self.rows)
        self.rows.append(row)
        for path in paths:
            self._by_path.setdefault(path, position)
        for name in {folded(_normal(path).rpartition("/")[2]) for path in _all_spellings(row)}:
            self._by_name[name] = (*self._by_name.get(name, ()), position)


def _all_spellings(row: TableRow) -> tuple[str, ...]:
    if not row.others:
        return spellings(row.entry)
    return (*spellings(row.entry), *row.others)


def _longest_end(row: TableRow, parts: Sequence[str]) -> tuple[int, int, bool]:
    """Return what the spelling of a row has in common with a path that has most, as `_common_end` does."""
    return max(_common_end(path_parts(spelled), parts) for spelled in _all_spellings(row))


def _common_end(row: Sequence[str], file: Sequence[str]) -> tuple[int, int, bool]:
    """Return how many names at the end agree but for case, how many exactly, and whether those are all of the row's."""
    length = exact = 0
    row = [part for part in row if part != ".."]
    for mine, other in zip(reversed(row), reversed(file), strict=False):
        mine = unicodedata.normalize("NFC", mine)  # noqa: PLW2901
        if folded(mine) != folded(other):
            break
        length += 1
        exact += mine == other
    return length, exact, length == len(row)


def _is_same_file(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _normal(path: str) -> str:
    """Return one spelling per path: no dots and doubles, and one Unicode form (macOS hands out another)."""
    return unicodedata.normalize("NFC", os.path.normpath(path))
