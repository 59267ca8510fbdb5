"""Tables on standard output: as wide as the terminal, and uncut where nobody looks at a terminal."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

UNCUT = 1_000
"""Characters; a file or a pipe has no width that text should be cut to."""


def console() -> "Console":
    """Return the console for results."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else UNCUT)


def show_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print names with their values."""
    _show(facts_table(facts))


def facts_table(facts: Sequence[tuple[str, str]]) -> "Table":
    """Return names with their values as a table."""
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in facts:
        table.add_row(name, text)
    return table


def show_rows(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows under a header, long words folded and never cut."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    _show(table)


def _show(table: "Table") -> None:
    """Print a table, without the blanks behind short lines where these go to a file or a pipe."""
    target = console()
    if target.is_terminal:
        target.print(table)
        return
    with target.capture() as captured:
        target.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
