"""What a walk through a library left out: counts by what left it out, for people and for programs."""

from collections import Counter
from collections.abc import Iterable

from pipeline.library.folders.file_names import describe_files, kind_of_extension
from pipeline.text import printable
from pipeline.wire import Value

SHOWN_NAMES = 8
"""How many names a line has; the rest is a number."""

SHOWN_PROBLEMS = 50
"""How many folders and files that could not be read have a line; the rest is a number."""

_MOST_NAMES = 1000
"""How many names are counted one by one: a folder may have a million extensions that are none."""

_ORDER = ("protected", "partial", "unknown", "backup", "companion")


class LeftOut(Value, frozen=True, kw_only=True):
    """What a scan left out. Of a folder that was left out nobody knows what was in it."""

    system_folders: dict[str, int] = {}
    """Folders of systems and programs, by the name in the table of `system_names`."""
    system_files: int = 0
    """Files of theirs."""
    extensions: dict[str, int] = {}
    """Files whose name says that they are no sound, or are none by their content; by extension, empty without one."""
    hidden: int = 0
    """Files and folders that begin with a dot and could be somebody's."""
    excluded: dict[str, int] = {}
    """Files and folders by the pattern that left them out, as it was written."""
    unmatched: tuple[str, ...] = ()
    """Patterns of `--exclude` that left nothing out."""

    @property
    def is_nothing(self) -> bool:
        """Whether nothing was left out."""
        return self == NOTHING


NOTHING = LeftOut()


def sum_left_out(parts: Iterable[LeftOut]) -> LeftOut:
    """Return the counts of several walks together."""
    tally = LeftOutTally()
    for part in parts:
        tally.system_folders.update(part.system_folders)
        tally.system_files += part.system_files
        tally.extensions.update(part.extensions)
        tally.hidden += part.hidden
        tally.excluded.update(part.excluded)
    return tally.total()


class LeftOutTally:
    """Counts what a walk leaves out."""

    def __init__(self) -> None:
        self.system_folders: Counter[str] = Counter()
        self.system_files = 0
        self.extensions: Counter[str] = Counter()
        self.hidden = 0
        self.excluded: Counter[str] = Counter()
        self.mounts: list[str] = []
        """Folders that were walked and are of another file system than those above them."""

    def add_extension(self, extension: str) -> None:
        """Count a file by its extension."""
        name = printable(extension)
        if name not in self.extensions and len(self.extensions) >= _MOST_NAMES:
            name = "..."
        self.extensions[name] += 1

    def total(self, patterns: tuple[str, ...] = ()) -> LeftOut:
        """Return the counts; `patterns` are those of `--exclude`."""
        return LeftOut(
            system_folders=dict(sorted(self.system_folders.items())),
            system_files=self.system_files,
            extensions=dict(sorted(self.extensions.items())),
            hidden=self.hidden,
            excluded={printable(text): count for text, count in sorted(self.excluded.items())},
            unmatched=tuple(
                printable(text) for text in patterns if text not in self.excluded and not text.startswith("!")
            ),
        )


def describe_left_out(left_out: LeftOut) -> list[str]:
    """Return in words what was left out: one line for each reason, nothing where nothing was."""
    lines: list[str] = []
    if left_out.system_folders:
        folders = sum(left_out.system_folders.values())
        files = f" and {_count(left_out.system_files, 'file')}" if left_out.system_files else ""
        lines.append(f"left out {_count(folders, 'folder')}{files} of the system: {_names(left_out.system_folders)}")
    elif left_out.system_files:
        lines.append(f"left out {_count(left_out.system_files, 'file')} of the system")
    if left_out.extensions:
        by_kind = sorted(
            left_out.extensions.items(),
            key=lambda item: (_ORDER.index(kind_of_extension(item[0])) if item[0] else 2, -item[1], item[0]),
        )
        names = _enumerate([(describe_files(extension, count), count) for extension, count in by_kind])
        lines.append(f"left out {_count(sum(left_out.extensions.values()), 'file')} by name: {names}")
    if left_out.hidden:
        lines.append(f"left out {left_out.hidden:,} hidden; --include-hidden scans what begins with a dot too")
    if left_out.excluded:
        total = sum(left_out.excluded.values())
        lines.append(f"left out {total:,} by --exclude or .chordalignore: {_names(left_out.excluded)}")
    lines += [f"--exclude {text} left nothing out; is it spelled right?" for text in left_out.unmatched]
    return lines


def describe_unreadable(unreadable: tuple[str, ...]) -> list[str]:
    """Return in words what could not be read, from paths with their reasons: a line for each, of many the first."""
    lines = [f"cannot look into {each}" for each in unreadable[:SHOWN_PROBLEMS]]
    more = len(unreadable) - len(lines)
    return [*lines, *([f"cannot look into {more:,} more; --json lists them"] if more else [])]


def _names(counts: dict[str, int]) -> str:
    return _enumerate([(f"{name} {count:,}", count) for name, count in counts.items()])


def _enumerate(words: list[tuple[str, int]]) -> str:
    """Return words with their counts in one line: the first of them, and the number of the rest."""
    more = sum(count for _, count in words[SHOWN_NAMES:])
    return ", ".join([*(text for text, _ in words[:SHOWN_NAMES]), *([f"and {more:,} more"] if more else [])])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
