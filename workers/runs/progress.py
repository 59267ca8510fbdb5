"""The progress of a command on standard error: live bars on a terminal, a line per stage elsewhere, or nothing."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class View:
    """Shows stages on standard error; standard output is left to results.

    A `quiet` one shows no progress, but warnings all the same, as whoever waits for a result has to know what it waits
    for. They go to `on_warning` instead, where that is given.
    """

    def __init__(self, *, quiet: bool = False, on_warning: Callable[[str], None] | None = None) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False, emoji=False)
        self._warnings = Console(stderr=True, highlight=False, emoji=False) if quiet else self._console
        self._on_warning = on_warning
        self._live = Progress(
            SpinnerColumn(finished_text="[green]done[/]"),
            TextColumn("{task.description:<16}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not sys.stderr.isatty() or quiet,
        )
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    @property
    def is_live(self) -> bool:
        """Whether the stages are shown as bars on a terminal."""
        return not self._live.disable

    def stage(self, name: str, *, total: int | None = None, note: str = "") -> None:
        """Begin a stage of `total` things."""
        self._started[name] = time.monotonic()
        self._tasks[name] = self._live.add_task(escape(name), total=total, note=escape(note))
        if not self.is_live:
            self._console.print(f"{name}: started" + (f", {total} to do" if total else ""), markup=False)

    def update(self, name: str, done: int, *, total: int | None = None, note: str = "") -> None:
        """Show that `done` of the things of a stage are done."""
        self._live.update(self._tasks[name], completed=done, total=total, note=escape(note))

    def finish(self, name: str, done: int, *, note: str = "") -> float:
        """End a stage of which `done` things were done, and return its seconds."""
        seconds = time.monotonic() - self._started[name]
        self._live.update(self._tasks[name], completed=done, total=max(done, 1) if done else 1, note=escape(note))
        self._live.stop_task(self._tasks[name])
        if not self.is_live:
            self._console.print(f"{name}: {note or done}, {seconds:.1f} s", markup=False)
        return seconds

    def line(self, text: str) -> None:
        """Show a line that stays."""
        self._console.print(text, markup=False, soft_wrap=True)

    def warning(self, text: str) -> None:
        """Show a line that stays, about what holds up the command or went wrong on the way; from any thread."""
        if self._on_warning is not None:
            self._on_warning(text)
        else:
            self._warnings.print(text, markup=False, soft_wrap=True)
