"""Walk folders for audio files: lazily, in a steady order, each file once, whatever the names and links are."""

# pathlib is ten times slower here, and abspath is wanted where resolve would follow links.
# ruff: noqa: PTH116, PTH118, PTH119
import os
import stat
from collections.abc import Callable, Iterator, Sequence

from pipeline.errors import UsageError
from pipeline.library.tracks import FileStamp
from pipeline.text import printable

EXTENSIONS = frozenset({
    # What libsndfile reads,
    "wav", "wave", "bwf", "rf64", "w64", "flac", "ogg", "oga", "opus", "mp3", "mp2", "mp1", "aif", "aiff", "aifc",
    "au", "snd", "caf", "sph", "nist", "voc",
    # and what further decoders may: a file nobody can read is recorded, not overlooked.
    "m4a", "m4b", "mp4", "aac", "wma", "ape", "wv", "tta", "mka", "webm", "ac3", "dsf", "dff", "mpc", "spx",
})  # fmt: skip
"""Extensions, in lower case and without the dot, of the files that are scanned."""

OnProblem = Callable[[str, str], None]
"""Called with the path and the reason of what a scan had to leave out."""


def check_root(root: str, *, may_be_empty: bool) -> None:
    """Raise `UsageError` for a library without audio files, before anything is yielded."""
    name = printable(root)
    try:
        mode = os.stat(root).st_mode
    except OSError as error:
        reason = "no such folder" if isinstance(error, FileNotFoundError) else (error.strerror or str(error)).lower()
        raise UsageError(f"library {name}: {reason}; name a folder with audio files") from error
    if not stat.S_ISDIR(mode):
        raise UsageError(f"library {name}: a file, not a folder; name the folder it lies in")
    if may_be_empty:
        return
    problems: list[str] = []
    if next(walk([root], lambda path, reason: problems.append(f"{printable(path)} ({reason})")), None) is None:
        left_out = f"; could not read {len(problems)}, the first {problems[0]}" if problems else ""
        looked_for = ", ".join(f"*.{extension}" for extension in ("wav", "flac", "mp3", "ogg", "aiff"))
        raise UsageError(
            f"no audio files under {name}; looked for {looked_for} and {len(EXTENSIONS) - 5} more{left_out}"
        )


def stamp_of(path: str) -> FileStamp | None:
    """Return the stamp of an audio file, as a scan would find it; None for anything else, also for a hidden file."""
    name = os.path.basename(path)
    if name.startswith(".") or "." not in name or name.rpartition(".")[2].lower() not in EXTENSIONS:
        return None
    return _stamp(path, lambda _path, _reason: None)


def walk(roots: Sequence[str], on_problem: OnProblem) -> Iterator[tuple[str, FileStamp]]:
    """Yield path and stamp of each audio file below some folders.

    Linked folders wait until all real ones are done: a link that points into the libraries then finds its target
    visited, and a file's path, hence its id and its label, does not depend on links beside it.
    """
    visited: set[tuple[int, int]] = set()
    linked: list[str] = []
    stack = list(reversed(roots))
    while stack or linked:
        if not stack:
            stack, linked = list(reversed(linked)), []
        folder = stack.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            files, folders, links = _listing(folder)
        except OSError as error:
            on_problem(folder, (error.strerror or str(error)).lower())
            continue
        for name in files:
            path = os.path.join(folder, name)
            if stamp := _stamp(path, on_problem):
                yield path, stamp
        stack += [os.path.join(folder, name) for name in reversed(folders)]
        linked += [os.path.join(folder, name) for name in links]


def _listing(folder: str) -> tuple[list[str], list[str], list[str]]:
    """Return the sorted names of a folder's audio files, real folders and linked folders, without hidden ones."""
    files: list[str] = []
    folders: list[str] = []
    links: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                (links if entry.is_symlink() else folders).append(entry.name)
            elif entry.name.rpartition(".")[2].lower() in EXTENSIONS and "." in entry.name:
                files.append(entry.name)
    return sorted(files), sorted(folders), sorted(links)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle: a broken file, if its name is an audio file's
        return False


def _stamp(path: str, on_problem: OnProblem) -> FileStamp | None:
    """Return a file's stamp; None, after a call of `on_problem`, for what is no readable file."""
    try:
        status = os.stat(path)
    except OSError as error:
        on_problem(path, (error.strerror or str(error)).lower())
        return None
    if not stat.S_ISREG(status.st_mode):
        on_problem(path, "not a regular file")
        return None
    return FileStamp.of(status)
