"""Walk folders for audio files: lazily, in a steady order, each file once, whatever the names and links are."""

# pathlib is ten times slower here, and abspath is wanted where resolve would follow links.
# ruff: noqa: PTH116, PTH118, PTH119
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pipeline.library.folders.exclusions import IGNORE_FILE, Patterns, matching, parse_patterns, read_patterns
from pipeline.library.folders.file_names import CUE_SHEET, PARTIAL_BEGINNINGS, SOUND, Kind, extension_of, kind_of
from pipeline.library.folders.left_out import LeftOutTally
from pipeline.library.folders.presence import describe_error, device_of, require_present
from pipeline.library.folders.signatures import has_sound
from pipeline.library.system_names import is_system_file, system_folder
from pipeline.library.tracks import FileStamp
from pipeline.plans.scan_rules import DEFAULT, ScanRules

OnProblem = Callable[[str, str], None]
"""Called with the path and the reason of what a scan could not read."""

EMPTY_LINK = "the folder it leads to is empty; is its disk mounted?"

_PECULIAR = (".", *PARTIAL_BEGINNINGS)
"""What names begin with that may be left out although their extension is one of sound."""


def stamp_of(path: str) -> FileStamp | None:
    """Return the stamp of an audio file, as a scan would find it; None for anything else."""
    name = os.path.basename(path)
    kind = "companion" if is_system_file(name) else kind_of(name)
    is_wanted = kind == "sound" or (kind == "unknown" and _has_sound(path, _ignored))
    return _stamp(path, _ignored) if is_wanted else None


class _Place(NamedTuple):
    """A folder that is still to be walked."""

    folder: str
    patterns: Patterns
    """Those that hold in it, but for its own."""
    linked: bool = False
    device: int | None = None
    """Of the folder above it; None for a library."""


class _Listing(NamedTuple):
    """The names in a folder, sorted, that are not left out."""

    files: list[str]
    """Those of sound, and those of which nobody knows."""
    folders: list[str]
    links: list[str]
    """Linked folders."""
    unknown: set[str]
    """The files whose content has to be looked at."""


def walk(
    roots: Sequence[str],
    on_problem: OnProblem,
    rules: ScanRules = DEFAULT,
    left_out: LeftOutTally | None = None,
    *,
    patterns: Patterns = (),
) -> Iterator[tuple[str, FileStamp]]:
    """Yield path and stamp of each audio file below some folders.

    Linked folders wait until all real ones are done: a link that points into the libraries then finds its target
    visited, and a file's path, hence its id and its label, does not depend on links beside it. What is left out is
    counted in `left_out`; `patterns` are those of folders above. Raises `UsageError` for a pattern that is none, and
    at the end for a folder whose disk went away meanwhile: what of it was not found is not gone.
    """
    tally = left_out if left_out is not None else LeftOutTally()
    devices = {root: device_of(root) for root in roots}
    visited: set[tuple[int, int]] = set()
    linked: list[_Place] = []
    stack = [_Place(root, patterns + parse_patterns(rules.exclude, root)) for root in reversed(roots)]
    while stack or linked:
        if not stack:
            stack, linked = list(reversed(linked)), []
        place = stack.pop()
        folder = place.folder
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            if place.device not in {None, status.st_dev} and not place.linked:
                tally.mounts.append(folder)
            found, own = _list(place, rules, tally, on_problem)
        except OSError as error:
            on_problem(folder, describe_error(error))
            continue
        for name in found.files:
            path = os.path.join(folder, name)
            if name in found.unknown and not _has_sound(path, on_problem, tally):
                continue
            if stamp := _stamp(path, on_problem):
                yield path, stamp
        stack += [_Place(os.path.join(folder, name), own, device=status.st_dev) for name in reversed(found.folders)]
        linked += [_Place(os.path.join(folder, name), own, linked=True) for name in found.links]
    for root, device in devices.items():
        require_present(root, device)


def _list(place: _Place, rules: ScanRules, tally: LeftOutTally, on_problem: OnProblem) -> tuple[_Listing, Patterns]:
    """Return the names in a folder, and the patterns that hold below it. Raises `OSError`."""
    with os.scandir(place.folder) as opened:
        entries = list(opened)
    if place.linked and not entries:
        raise OSError(0, EMPTY_LINK)
    patterns = place.patterns
    if any(entry.name == IGNORE_FILE for entry in entries):
        patterns += _own_patterns(place.folder)
    found = _Listing([], [], [], set())
    for entry in entries:
        name = entry.name
        is_folder = _is_folder(entry)
        if patterns and _is_excluded(entry.path, patterns, tally, is_folder=is_folder):
            continue
        if is_folder:
            if not _leaves_out_folder(name, rules, tally):
                (found.links if entry.is_symlink() else found.folders).append(name)
        elif name.rpartition(".")[2].lower() in SOUND and "." in name and not name.startswith(_PECULIAR):
            found.files.append(name)
        elif (kind := _kept_kind(entry, rules, tally, on_problem)) is not None:
            found.files.append(name)
            if kind == "unknown":
                found.unknown.add(name)
    found.files.sort()
    found.folders.sort()
    found.links.sort()
    return found, patterns


def _is_excluded(path: str, patterns: Patterns, tally: LeftOutTally, *, is_folder: bool) -> bool:
    """Tell whether a pattern leaves a file or folder out, and count it."""
    pattern = matching(patterns, path, is_folder=is_folder)
    if pattern is not None:
        tally.excluded[pattern.text] += 1
    return pattern is not None


def _own_patterns(folder: str) -> Patterns:
    """Return the patterns of a folder's own; raises `OSError` that names their file."""
    try:
        return read_patterns(folder)
    except OSError as error:
        raise OSError(0, f"its {IGNORE_FILE}: {describe_error(error)}") from error


def _leaves_out_folder(name: str, rules: ScanRules, tally: LeftOutTally) -> bool:
    """Tell whether a folder is left out for its name, and count it."""
    if (known := system_folder(name)) is not None:
        tally.system_folders[known] += 1
        return True
    if name.startswith(".") and not rules.include_hidden:
        tally.hidden += 1
        return True
    return False


def _kept_kind(entry: os.DirEntry[str], rules: ScanRules, tally: LeftOutTally, on_problem: OnProblem) -> Kind | None:
    """Return the kind of what is no folder and not plainly sound; None, after it is counted, when it is left out.

    What nobody can look at, such as a link that leads nowhere, may be a folder with sound, whatever its name is.
    """
    name = entry.name
    if is_system_file(name) or (entry.is_symlink() and system_folder(name) is not None):
        tally.system_files += name != IGNORE_FILE
        return None
    kind = kind_of(name)
    if name.startswith(".") and not rules.include_hidden and kind != "partial":
        tally.hidden += kind == "sound"
        return None
    if kind == "sound":
        return kind  # its stamp shows whether it is broken
    if _is_broken(entry, on_problem):
        return None
    if kind == "unknown":
        return kind
    extension = "incomplete" if name.startswith(PARTIAL_BEGINNINGS) else extension_of(name)
    if not (rules.cue and extension == CUE_SHEET):  # which is read, and counted by what becomes of it
        tally.add_extension(extension)
    return None


def _is_broken(entry: os.DirEntry[str], on_problem: OnProblem) -> bool:
    """Tell whether an entry is a link that leads nowhere, after a call of `on_problem`."""
    if entry.is_symlink():
        try:
            entry.stat()
        except OSError as error:
            on_problem(entry.path, describe_error(error))
            return True
    return False


def _has_sound(path: str, on_problem: OnProblem, tally: LeftOutTally | None = None) -> bool:
    """Tell whether a file whose name says nothing has sound; count it where it has none."""
    try:
        found = stat.S_ISREG(os.stat(path).st_mode) and has_sound(path)
    except OSError as error:
        on_problem(path, describe_error(error))
        return False
    if tally is not None and not found:
        tally.add_extension(extension_of(path))
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle, or to where nobody may look: it is told as a file is
        return False


def _stamp(path: str, on_problem: OnProblem) -> FileStamp | None:
    """Return a file's stamp; None, after a call of `on_problem`, for what is no readable file."""
    try:
        status = os.stat(path)
    except OSError as error:
        on_problem(path, describe_error(error))
        return None
    if not stat.S_ISREG(status.st_mode):
        on_problem(path, "not a regular file")
        return None
    return FileStamp.of(status)


def _ignored(_path: str, _reason: str) -> None:
    pass
