"""The tracks of libraries: the files that a walk finds, with their labels, groups and folds."""

# abspath is wanted where resolve would follow links.
# ruff: noqa: PTH100
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline.errors import UsageError
from pipeline.library.cue.albums import AlbumSheets
from pipeline.library.folders.left_out import LeftOutTally
from pipeline.library.folders.roots import check_root
from pipeline.library.folders.walk import OnProblem, walk
from pipeline.library.labels import UNLABELLED, TrackSources, first_value
from pipeline.library.library_file import LibraryFile, LibraryFiles, TagSource
from pipeline.library.tracks import FileStamp, ScannedTrack, track_id
from pipeline.plans.scan_rules import DEFAULT, ScanRules


def scan(
    libraries: Sequence[str],
    *,
    sources: TrackSources = UNLABELLED,
    rules: ScanRules = DEFAULT,
    on_problem: OnProblem | None = None,
    may_be_empty: bool = False,
    tags: TagSource | None = None,
    left_out: LeftOutTally | None = None,
    sheets: AlbumSheets | None = None,
) -> Iterator[ScannedTrack]:
    """Return an iterator over the audio files under some folders, with absolute paths as `os.fsdecode` gives them.

    A file that a cue sheet cuts is as many tracks; `sheets` counts them.

    The folders are checked first: `UsageError`, naming the folder and the mend, for one that is missing, is a file,
    cannot be read or, unless it `may_be_empty`, holds no audio files. Names in a folder come sorted, its files before
    its folders. Links are followed, each folder is entered once, and under its real path where it has one inside the
    libraries; so a library inside another, or named twice, adds nothing. What could not be read (a folder without
    permission, a broken link) goes to `on_problem`. Hidden files, folders of the system and what `rules` exclude are
    left out, as are files that neither name nor content tells to be sound; `left_out` counts them. The tags that
    the sources ask for come from `tags`, where it is given, for many files at once.
    """
    if not libraries:
        raise UsageError("no library given; name at least one folder with audio files")
    roots = [os.path.abspath(library) for library in libraries]
    for root in roots:
        check_root(root, rules, may_be_empty=may_be_empty)

    def ignored(_path: str, _reason: str) -> None:
        pass

    files = LibraryFiles(tags)
    found = files.ahead(walk(roots, on_problem or ignored, rules, left_out))
    return tracks_of(found, sources, rules, sheets, files.file)


def tracks_of(
    files: Iterable[tuple[str, FileStamp]],
    sources: TrackSources,
    rules: ScanRules,
    sheets: AlbumSheets | None = None,
    file_at: Callable[[str], LibraryFile] = LibraryFile,
) -> Iterator[ScannedTrack]:
    """Yield files, given by path and stamp, as the tracks that a scan makes of them; those of a folder together."""
    sheets = sheets if sheets is not None else AlbumSheets()
    for path, stamp in files:
        cut = sheets.cut(path, stamp) if rules.cue else None
        if cut is None or not cut.parts:
            yield track_of(path, stamp, sources, rules, file_at(path))
            continue
        album = file_at(path)
        for each in cut.parts:
            track = track_of(path, cut.stamp, sources, rules, album.track(each.tags))
            part_path = each.part.path(path)
            yield track.replace(track_id=track_id(part_path), path=part_path, part=each.part, sheet=each.tags)


def track_of(
    path: str, stamp: FileStamp, sources: TrackSources, rules: ScanRules, file: LibraryFile | None = None
) -> ScannedTrack:
    """Return a file as the track that a scan makes of it; `file` where more is known of it than its path."""
    file = file or LibraryFile(path)
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
