"""The tracks of libraries: the files that a walk finds, with their labels, groups and folds."""

# abspath is wanted where resolve would follow links.
# ruff: noqa: PTH100
import os
from collections.abc import Iterator, Sequence

from pipeline.errors import UsageError
from pipeline.library.labels import UNLABELLED, TrackSources, first_value
from pipeline.library.library_file import LibraryFile
from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.library.walk import OnProblem, check_root, walk
from pipeline.plans.scan_rules import DEFAULT, ScanRules


def scan(
    libraries: Sequence[str],
    *,
    sources: TrackSources = UNLABELLED,
    rules: ScanRules = DEFAULT,
    on_problem: OnProblem | None = None,
    may_be_empty: bool = False,
) -> Iterator[ScannedTrack]:
    """Return an iterator over the audio files under some folders, with absolute paths as `os.fsdecode` gives them.

    The folders are checked first: `UsageError`, naming the folder and the mend, for one that is missing, is a file,
    cannot be read or, unless it `may_be_empty`, holds no audio files. Names in a folder come sorted, its files before
    its folders. Hidden files and folders (`.x`, `._x`) are left out. Links are followed, each folder is entered once,
    and under its real path where it has one inside the libraries; so a library inside another, or named twice, adds
    nothing. What could not be read (a folder without permission, a broken link) goes to `on_problem`.
    """
    if not libraries:
        raise UsageError("no library given; name at least one folder with audio files")
    roots = [os.path.abspath(library) for library in libraries]
    for root in roots:
        check_root(root, may_be_empty=may_be_empty)

    def ignored(_path: str, _reason: str) -> None:
        pass

    return (track_of(path, stamp, sources, rules) for path, stamp in walk(roots, on_problem or ignored))


def track_of(path: str, stamp: FileStamp, sources: TrackSources, rules: ScanRules) -> ScannedTrack:
    """Return a file as the track that a scan makes of it."""
    file = LibraryFile(path)
    labels, labels_found = sources.labels_of(file, multi=rules.multi)
    return ScannedTrack(
        track_id=track_id(path),
        path=path,
        stamp=stamp,
        label=next(iter(labels), None),
        labels=labels if rules.multi else (),
        group=first_value(sources.groups, file),
        fold=first_value(sources.folds, file),
        labels_found=labels_found,
    )
