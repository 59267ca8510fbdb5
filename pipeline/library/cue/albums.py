"""The cue sheets of a library's folders, and the tracks that they cut its files into.

A sheet counts for files in its own folder alone: nothing that it names elsewhere is ever opened. Of several sheets for
one file that of the file's name counts, then the first by name; a sheet beside a file counts before one inside it.
"""

# ruff: noqa: PTH118, PTH119, PTH120, PTH208 -- pathlib does not keep all names, and is slower
import ntpath
import os
import stat
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.library.cue.embedded import MAX_SHEET_BYTES, embedded_sheet
from pipeline.library.cue.encoding import decode_sheet
from pipeline.library.cue.parse import parse_sheet
from pipeline.library.cue.sheet import CueSheet, SheetError, SheetPart, parts_in
from pipeline.library.folders.file_names import CUE_SHEET, kind_of
from pipeline.library.tracks import FileStamp
from pipeline.text import printable
from pipeline.wire import Value

_LOSSLESS = ("flac", "wv", "ape", "tta", "wav", "aiff", "aif", "m4a")
"""The forms that an album is likeliest kept in, where a sheet names one that is not there."""


class SheetCounts(Value, frozen=True, kw_only=True):
    """What a scan found of cue sheets."""

    used: int = 0
    """Sheets, beside and inside files, that cut one."""
    albums: int = 0
    """Files that are cut."""
    tracks: int = 0
    """What they are cut into."""
    unused: tuple[str, ...] = ()
    """Sheets that could not be used, each with the reason; their albums are one track each."""
    notes: tuple[str, ...] = ()
    """What was guessed or decided about those that were used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FoundSheet:
    """A sheet beside files, and the stamp of its own file."""

    path: str
    sheet: CueSheet
    stamp: FileStamp


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbumCut:
    """What a file is cut into, and its stamp joined with that of the sheet that says so."""

    parts: tuple[SheetPart, ...] = ()
    """Empty for a file that is one track."""
    stamp: FileStamp


class AlbumSheets:
    """Finds the sheets of files, folder by folder as a scan comes to them; holds those of one folder."""

    def __init__(self) -> None:
        self.cut_files: set[str] = set()
        """The paths of the files that are cut into tracks."""
        self._folder: str | None = None
        self._by_name: dict[str, list[tuple[_FoundSheet, str]]] = {}
        """By file name in the folder: its sheets, best first, with the name of the file in each."""
        self._used: set[str] = set()
        self._tracks = 0
        self._unused: dict[str, str] = {}
        self._notes: dict[str, str] = {}

    def cut(self, path: str, stamp: FileStamp) -> AlbumCut:
        """Return what the file at a path is cut into."""
        folder, name = os.path.split(path)
        if folder != self._folder:
            self._enter(folder)
        for found, named in self._by_name.get(name, ()):
            try:
                parts = parts_in(found.sheet, named, _length_s(path))
            except SheetError as error:
                self._unused[found.path] = str(error)
                continue
            if parts:
                return self._use(path, found, parts, stamp.joined(found.stamp))
            return AlbumCut(stamp=stamp)
        return self._cut_by_inner(path, stamp)

    def counts(self) -> SheetCounts:
        """Return what was found so far."""

        def lines(by_path: dict[str, str]) -> tuple[str, ...]:
            return tuple(f"{printable(path)}: {text}" for path, text in by_path.items())

        return SheetCounts(
            used=len(self._used),
            albums=len(self.cut_files),
            tracks=self._tracks,
            unused=lines(self._unused),
            notes=lines(self._notes),
        )

    def _use(self, path: str, found: _FoundSheet, parts: tuple[SheetPart, ...], stamp: FileStamp) -> AlbumCut:
        self._used.add(found.path)
        self.cut_files.add(path)
        self._tracks += len(parts)
        if found.sheet.guess:
            self._notes[found.path] = f"read as {found.sheet.guess}, which is a guess; save it as UTF-8 to be sure"
        for other, _ in self._by_name.get(os.path.basename(path), ()):
            if other.path != found.path and other.path not in self._used and other.path not in self._unused:
                self._unused[other.path] = f"{printable(os.path.basename(found.path))} is for the same file, and used"
        if self._disagrees_inside(path, found, parts):
            self._notes.setdefault(path, "the sheet inside it is another one; the one beside it is used")
        return AlbumCut(parts=parts, stamp=stamp)

    def _disagrees_inside(self, path: str, found: _FoundSheet, parts: tuple[SheetPart, ...]) -> bool:
        """Tell whether a file that a sheet beside it cuts would be cut elsewhere by the one inside it."""
        if found.path == path:
            return False
        try:
            inner = embedded_sheet(path)
            return inner is not None and [each.part for each in parts_in(inner, "", None)] != [
                each.part for each in parts
            ]
        except SheetError:
            return False  # it is not used anyway

    def _cut_by_inner(self, path: str, stamp: FileStamp) -> AlbumCut:
        try:
            sheet = embedded_sheet(path)
            parts = parts_in(sheet, "", _length_s(path)) if sheet is not None and len(sheet.tracks) > 1 else ()
        except SheetError as error:
            self._unused[path] = f"the sheet inside it: {error}"
            return AlbumCut(stamp=stamp)
        if sheet is None or not parts:
            return AlbumCut(stamp=stamp)
        return self._use(path, _FoundSheet(path=path, sheet=sheet, stamp=stamp), parts, stamp)

    def _enter(self, folder: str) -> None:
        """Read the sheets of a folder, and find the files that they are for."""
        self._folder, self._by_name = folder, {}
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return  # the walk says so
        sheets = [name for name in names if _is_sheet(name)]
        files = {_key(name): name for name in names if _is_audio(name)} if sheets else {}
        for name in sheets:
            path = os.path.join(folder, name)
            try:
                found = _read(path)
                self._match(found, files)
            except SheetError as error:
                self._unused[path] = str(error)
        for file, found_sheets in self._by_name.items():
            stem = _key(file).rpartition(".")[0]
            found_sheets.sort(key=lambda each, stem=stem: _stem(each[0].path) != stem)  # type: ignore[misc]

    def _match(self, found: _FoundSheet, files: dict[str, str]) -> None:
        """Note for which files of its folder a sheet is. Raises `SheetError` when it is for none."""
        reason = ""
        for named in found.sheet.files:
            try:
                file = _file_of(named, files)
            except SheetError as error:
                # Of a file that is one track the sheet is not needed.
                if len(found.sheet.tracks_in(named)) > 1 or len(found.sheet.files) == 1:
                    reason = reason or f"line {found.sheet.tracks_in(named)[0].line}: {error}"
                continue
            self._by_name.setdefault(file, []).append((found, named))
        if reason:
            self._unused[found.path] = reason


def _read(path: str) -> _FoundSheet:
    """Return a sheet beside files. Raises `SheetError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise SheetError("not a regular file")
            if facts.st_size > MAX_SHEET_BYTES:
                raise SheetError(f"{facts.st_size:,} bytes are no cue sheet")
            data = file.read(MAX_SHEET_BYTES)
    except OSError as error:
        raise SheetError((error.strerror or str(error)).lower()) from error
    text, guess = decode_sheet(data)
    return _FoundSheet(path=path, sheet=parse_sheet(text).replace(guess=guess), stamp=FileStamp.of(facts))


def _file_of(named: str, files: dict[str, str]) -> str:
    """Return which of a folder's files, by `_key`, a sheet means; rippers leave the extension that it had first.

    Raises `SheetError` for a file that is not there, and for one in another folder.
    """
    drive, rest = ntpath.splitdrive(named)
    # The place where a Windows program made it says nothing about where it is now.
    name = ntpath.basename(rest) if drive else named.removeprefix("./").removeprefix(".\\")
    if not name or "/" in name or "\\" in name:
        raise SheetError(f"names {printable(named)!r}, which is not in its folder; only files beside a sheet are cut")
    exact = files.get(_key(name))
    if exact is not None:
        return exact
    stem = _key(name).rpartition(".")[0] or _key(name)
    same = {key.rpartition(".")[2]: file for key, file in files.items() if key.rpartition(".")[0] == stem}
    if not same:
        raise SheetError(f"names {printable(named)!r}, which is not there; correct its FILE line")
    return next((same[extension] for extension in _LOSSLESS if extension in same), next(iter(same.values())))


def _length_s(path: str) -> float | None:
    """Return the length of a file's sound by its header, seconds; None where that cannot be known."""
    from mutagen import File

    try:
        file = File(path)
        length_s = float(file.info.length) if file is not None else 0.0
    except Exception:  # noqa: BLE001 -- mutagen's parsers raise anything over a malformed file
        return None
    return length_s or None


def _is_sheet(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(f".{CUE_SHEET}")


def _is_audio(name: str) -> bool:
    return not name.startswith(".") and kind_of(name) == "sound"


def _key(name: str) -> str:
    """Return a file name as names are compared: some file systems fold case, and some take accents apart."""
    return unicodedata.normalize("NFC", name).casefold()


def _stem(path: str) -> str:
    return _key(os.path.basename(path)).rpartition(".")[0]


def sheets_folder_files(path: str) -> Sequence[str]:
    """Return the paths of the audio files beside a cue sheet: what may be cut otherwise when it changes."""
    folder = os.path.dirname(path)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return ()
    return [os.path.join(folder, name) for name in names if _is_audio(name)]


def is_sheet(path: str) -> bool:
    """Tell whether a path is that of a cue sheet."""
    return _is_sheet(os.path.basename(path))
