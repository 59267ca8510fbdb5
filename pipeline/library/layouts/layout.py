"""The layout of a data set that others publish: where its labels, groups and folds are, and what is known of it."""

# Paths are text here, as everywhere in a scan.
# ruff: noqa: PTH113, PTH118, PTH120
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import UsageError
from pipeline.library.tables.table import MetadataTable, Role
from pipeline.text import printable

PREFIX = "layout:"
"""Begins the labels, groups or folds that a layout gives, e.g. `layout:esc50`."""

TRAIN, VALIDATION, TEST = "train", "validation", "test"
"""The folds of an official split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutReader:
    """A layout in the libraries at hand."""

    values: Callable[[str, Role], tuple[str, ...]]
    """The labels, group or fold of the file at an absolute path."""
    roles: frozenset[Role]
    """What it gives here: some sets have folds only when lists lie beside them."""
    table: MetadataTable | None = None
    """The table it reads, whose rows are joined with the files; None for a layout in names alone."""
    notes: tuple[str, ...] = ()
    """What whoever learns from it should know, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The layout of one data set."""

    name: str
    title: str
    gives: str
    """What it reads, for people: `its folds and clip groups`."""
    looks_like: Callable[[str], bool]
    """Whether a folder is one, by a few names in it."""
    read: Callable[[Sequence[str]], LayoutReader]
    """Reads the tables and lists of libraries. Raises `UsageError` for what is not there."""
    has_sides: bool = False
    """Whether its folds are `train`, `validation` and `test`; else each fold is tested once."""
    exclude: tuple[str, ...] = ()
    """Patterns of what is no track of the set."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """Files known to be faulty, by name without extension, and what is wrong with them."""


def table_reader(table: MetadataTable, *notes: str) -> LayoutReader:
    """Return the reader of a layout that is in a table."""
    roles = frozenset(role for role in table.columns if table.is_filled(role))
    return LayoutReader(values=table.values, roles=roles, table=table, notes=notes)


def find_file(libraries: Sequence[str], *names: str) -> str | None:
    """Return the first of some files that is in a library, or one or two folders above it; None without any."""
    for library in libraries:
        above = os.path.dirname(library)
        for folder in (library, above, os.path.dirname(above)):
            for name in names:
                if os.path.isfile(path := os.path.join(folder, name)):
                    return path
    return None


def require_file(layout: str, libraries: Sequence[str], *names: str) -> str:
    """Return the file that `find_file` finds. Raises `UsageError` naming it where there is none."""
    path = find_file(libraries, *names)
    if path is None:
        raise UsageError(
            f"layout {layout}: no {names[0]} in {printable(libraries[0]) if libraries else 'no library'} or the "
            "folders above; unpack it there, or name the folder of the whole set"
        )
    return path


def read_list(path: str) -> tuple[str, ...]:
    """Return the lines of a list of files. Raises `UsageError` when it cannot be read, or is no UTF-8."""
    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123
            return tuple(line.strip() for line in file if line.strip())
    except OSError as error:
        raise UsageError(f"list {printable(path)}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"list {printable(path)}: not UTF-8 ({error.reason}); fetch it again") from error


def missing_notes(path: str, gone: Sequence[str]) -> tuple[str, ...]:
    """Return a note of the lines of a list that match no file; nothing without any."""
    if not gone:
        return ()
    rows = "1 line" if len(gone) == 1 else f"{len(gone):,} lines"
    name = printable(os.path.basename(path))  # noqa: PTH119
    return (f"{rows} of {name} {'matches' if len(gone) == 1 else 'match'} no file, e.g. {printable(gone[0])}",)


def has(folder: str, *names: str) -> bool:
    """Return whether a folder, or the one above it, holds all of some files."""
    return any(
        all(os.path.isfile(os.path.join(place, name)) for name in names) for place in (folder, os.path.dirname(folder))
    )


def subfolders(folder: str) -> frozenset[str]:
    """Return the names in a folder; none where it cannot be read."""
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return frozenset()
