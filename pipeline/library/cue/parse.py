"""The text of a cue sheet to its values."""

import re

from pipeline.library.cue.sheet import FRAMES_PER_S, CueSheet, CueTrack, SheetError

MAX_TRACKS = 999
"""A CD has 99 tracks; whoever writes sheets for a broadcast may have more."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_COMMAND = re.compile(r"\s*([A-Za-z]+)(?:\s+(.*?))?\s*")
_FILE = re.compile(
    r'"(?P<quoted>.*)"(?:\s+\S+)?|(?P<bare>.*?)(?:\s+(?:WAVE|MP3|AIFF|FLAC|BINARY|MOTOROLA))?', re.IGNORECASE
)
_TRACK = re.compile(r"(\d{1,3})\s+(\S+)")
_INDEX = re.compile(r"(\d{1,2})\s+(\d{1,5}):(\d{1,2}):(\d{1,2})")
_TEXTS = {"TITLE": "title", "PERFORMER": "performer", "SONGWRITER": "songwriter"}
_REMARKS = {"GENRE": "genre", "DATE": "date", "YEAR": "date", "COMPOSER": "songwriter"}


def parse_sheet(text: str) -> CueSheet:
    """Return what the text of a sheet says; commands that nothing here needs are passed over.

    Raises `SheetError` naming the line for a sheet without tracks, and for one whose tracks are not clear.
    """
    if not text.strip("\ufeff \t\r\n\0"):
        raise SheetError("it is empty")
    parser = _Parser()
    for number, line in enumerate(_LINE_END.split(text.lstrip("\ufeff")), start=1):
        match = _COMMAND.fullmatch(line)
        if match is not None:
            parser.take(match[1].upper(), match[2] or "", number)
    return parser.sheet()


class _Parser:
    """The sheet as far as it was read."""

    def __init__(self) -> None:
        self._album: dict[str, str] = {}
        self._tracks: list[CueTrack] = []
        self._file: str | None = None
        self._open: CueTrack | None = None
        """The track that is being read."""
        self._has_start = False

    def take(self, command: str, rest: str, line: int) -> None:
        """Take in one command."""
        match command:
            case "FILE":
                self._file = _file_name(rest)
            case "TRACK":
                self._end_track()
                self._begin_track(rest, line)
            case "INDEX":
                self._take_index(rest, line)
            case "TITLE" | "PERFORMER" | "SONGWRITER":
                self._put(_TEXTS[command], _unquoted(rest))
            case "REM":
                name, _, value = rest.partition(" ")
                if name.upper() in _REMARKS:
                    self._put(_REMARKS[name.upper()], _unquoted(value))

    def sheet(self) -> CueSheet:
        """Return the whole sheet."""
        self._end_track()
        if not self._tracks:
            raise SheetError("it has no tracks")
        return CueSheet(tracks=tuple(self._tracks), **self._album)

    def _put(self, name: str, text: str) -> None:
        if not text:
            return
        if self._open is not None:
            self._open = self._open.replace(**{name: text})
        else:
            self._album[name] = text

    def _begin_track(self, rest: str, line: int) -> None:
        match = _TRACK.fullmatch(rest)
        if match is None:
            raise SheetError(f"line {line}: TRACK {rest[:40]!r} is no number and kind")
        number = int(match[1])
        if self._file is None:
            raise SheetError(f"line {line}: track {number:02d} comes before any FILE")
        if any(track.number == number for track in self._tracks):
            raise SheetError(f"line {line}: track {number:02d} is there twice")
        if len(self._tracks) == MAX_TRACKS:
            raise SheetError(f"line {line}: more than {MAX_TRACKS} tracks")
        self._open = CueTrack(
            number=number, file=self._file, start_s=0.0, line=line, is_audio=match[2].upper() == "AUDIO"
        )
        self._has_start = False

    def _take_index(self, rest: str, line: int) -> None:
        match = _INDEX.fullmatch(rest)
        if match is None or int(match[3]) >= 60 or int(match[4]) >= FRAMES_PER_S:
            raise SheetError(f"line {line}: INDEX {rest[:40]!r} is no number and time, MM:SS:FF")
        if self._open is None:
            raise SheetError(f"line {line}: an INDEX before any TRACK")
        number, minutes, seconds, frames = map(int, match.groups())
        if number == 1 and not self._has_start:
            # The file of INDEX 01: a ripper may leave the pre-gap, INDEX 00, at the end of the file before.
            start_s = 60 * minutes + seconds + frames / FRAMES_PER_S
            self._open = self._open.replace(start_s=start_s, file=self._file or "")
            self._has_start = True

    def _end_track(self) -> None:
        if self._open is None:
            return
        if not self._has_start:
            raise SheetError(f"line {self._open.line}: track {self._open.number:02d} has no INDEX 01")
        self._tracks.append(self._open)
        self._open = None


def _file_name(rest: str) -> str:
    match = _FILE.fullmatch(rest)
    return "" if match is None else match["quoted"] if match["quoted"] is not None else match["bare"]


def _unquoted(text: str) -> str:
    """Return a text without the quotes around it; quotes within it stay."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text.strip()
