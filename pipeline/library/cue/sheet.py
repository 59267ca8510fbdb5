"""What a cue sheet says: values, and the parts that it cuts a file into."""

from collections.abc import Sequence

from pipeline.errors import UsageError
from pipeline.library.tags.tags import Tags
from pipeline.plans.album_part import AlbumPart
from pipeline.text import printable
from pipeline.wire import Value

FRAMES_PER_S = 75
"""Cue sheets count in sectors of a CD."""
HIDDEN_S = 5.0
"""Sound before the first track of at least this length is a track of its own, number 0; less is its pre-gap."""


class SheetError(UsageError):
    """A cue sheet that cannot be used; the reason, with the line where there is one, without the sheet's name."""


class CueTrack(Value, frozen=True, kw_only=True):
    """A track of a cue sheet."""

    number: int
    file: str
    """The file that holds it, as the sheet writes it; empty in a sheet that is inside its file."""
    start_s: float
    """Of INDEX 01."""
    line: int = 0
    """Of its beginning in the sheet, from 1; 0 where there are no lines."""
    is_audio: bool = True
    title: str = ""
    performer: str = ""
    songwriter: str = ""
    genre: str = ""
    date: str = ""


class CueSheet(Value, frozen=True, kw_only=True):
    """A cue sheet."""

    tracks: tuple[CueTrack, ...]
    title: str = ""
    performer: str = ""
    songwriter: str = ""
    genre: str = ""
    date: str = ""
    guess: str = ""
    """The encoding of its text where that had to be guessed."""

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it names, each once."""
        return tuple(dict.fromkeys(track.file for track in self.tracks))

    def tracks_in(self, file: str) -> tuple[CueTrack, ...]:
        """Return the tracks in one of its files."""
        return tuple(track for track in self.tracks if track.file == file)

    def tags_of(self, track: CueTrack | None) -> Tags:
        """Return what it says of a track; of sound that is none of its tracks, what it says of the album."""
        return Tags(
            title=_value(track.title if track else "Hidden track"),
            artist=_value((track.performer if track else "") or self.performer),
            album_artist=_value(self.performer),
            album=_value(self.title),
            genre=_value((track.genre if track else "") or self.genre),
            year=_value((track.date if track else "") or self.date),
            track=_value(str(track.number if track else 0)),
            composer=_value((track.songwriter if track else "") or self.songwriter),
        )


class SheetPart(Value, frozen=True, kw_only=True):
    """A track that a sheet cuts out of a file, with what the sheet says of it."""

    part: AlbumPart
    tags: Tags


def parts_in(sheet: CueSheet, file: str, length_s: float | None) -> tuple[SheetPart, ...]:
    """Return the tracks of a file that a sheet names, each from its INDEX 01 to that of the next; no data tracks.

    Nothing when the sheet has one track in the file: it is the file. `length_s` is the file's, None where it is not
    known. Raises `SheetError` when times do not rise or lie behind the end.
    """
    tracks = sheet.tracks_in(file)
    _check_times(tracks, length_s)
    hidden = bool(tracks) and tracks[0].start_s >= HIDDEN_S and tracks[0].is_audio
    if len(tracks) < 2:
        return ()
    ends = [*(track.start_s for track in tracks[1:]), None]
    parts = [
        SheetPart(
            part=AlbumPart(number=track.number, start_s=track.start_s, end_s=end),
            tags=sheet.tags_of(track),
        )
        for track, end in zip(tracks, ends, strict=True)
        if track.is_audio
    ]
    # Number 0 is the first file's alone: in a later one the sound is the end of the track before.
    if hidden and tracks[0] == sheet.tracks[0] and all(each.part.number for each in parts):
        first = AlbumPart(number=0, start_s=0.0, end_s=tracks[0].start_s)
        parts.insert(0, SheetPart(part=first, tags=sheet.tags_of(None)))
    return tuple(parts)


def _check_times(tracks: Sequence[CueTrack], length_s: float | None) -> None:
    before = -1.0
    for track in tracks:
        where = f"{f'line {track.line}: ' if track.line else ''}track {track.number:02d}"
        if track.start_s <= before:
            raise SheetError(f"{where} begins at {_time(track.start_s)}, not after the one before it")
        if length_s is not None and track.start_s >= length_s and track.is_audio:
            file = f" of {printable(track.file)}" if track.file else ""
            raise SheetError(f"{where} begins at {_time(track.start_s)}, behind the end{file} at {_time(length_s)}")
        before = track.start_s


def _time(seconds: float) -> str:
    """Return a time as sheets write it."""
    frames = round(seconds * FRAMES_PER_S)
    return f"{frames // (60 * FRAMES_PER_S):02d}:{frames // FRAMES_PER_S % 60:02d}:{frames % FRAMES_PER_S:02d}"


def _value(text: str) -> tuple[str, ...]:
    return (text,) if text else ()
