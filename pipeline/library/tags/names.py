"""What each field is called in each kind of tag: one table for all formats."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.library.tags.tags import fold_name

Texts = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagBlock:
    """The texts of one block of tags in a file.

    `codes` are those under a fixed code, in lower case: a frame of ID3, an atom of MP4, a chunk of RIFF or AIFF.
    `words` are those under a name that anybody may choose, folded: Vorbis comments, APEv2, ASF, TXXX, freeform atoms.
    """

    codes: Mapping[str, Texts] = field(default_factory=dict)
    words: Mapping[str, Texts] = field(default_factory=dict)
    too_long: bool = False
    """Whether it was not read, as it is too long."""

    def __bool__(self) -> bool:
        return bool(self.codes or self.words)

    @classmethod
    def of_words(cls, pairs: Iterable[tuple[str, str]]) -> "TagBlock":
        """Return a block of names as a file has them, each with a text; a name may come several times."""
        words: dict[str, list[str]] = {}
        for name, text in pairs:
            words.setdefault(fold_name(name), []).append(text)
        return cls(words=words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of a field, those that count first in front."""

    codes: tuple[str, ...]
    words: tuple[str, ...]

    def texts(self, block: TagBlock) -> Iterator[Texts]:
        """Yield what a block has under each of the names."""
        yield from (block.codes[code] for code in self.codes if code in block.codes)
        yield from (block.words[word] for word in self.words if word in block.words)


# Matroska's names stand behind the part of the album that they are of: FFmpeg says "ALBUM/ARTIST".
NAMES: dict[str, Names] = {
    "title": Names(codes=("tit2", "\xa9nam", "inam", "name"), words=("title", "track/title", "song/title")),
    "artist": Names(
        codes=("tpe1", "\xa9art", "iart", "auth"),
        words=("artist", "track/artist", "author", "artists", "performer", "track/performer"),
    ),
    "album_artist": Names(codes=("tpe2", "aart"), words=("albumartist", "album/artist", "albumartists", "ensemble")),
    "album": Names(codes=("talb", "\xa9alb", "iprd", "ialb"), words=("album", "albumtitle", "album/title")),
    "genre": Names(
        codes=("tcon", "\xa9gen", "ignr", "genr"), words=("genre", "genres", "track/genre", "album/genre", "genreid")
    ),
    "year": Names(
        codes=("tdrc", "tdrl", "tdor", "\xa9day", "icrd", "year"),
        words=(
            "date", "year", "releasedate", "datereleased", "track/datereleased", "album/datereleased",
            "daterecorded", "recordingdate", "originaldate", "originalyear", "originalreleaseyear",
        ),
    ),
    "track": Names(
        codes=("trck", "trkn", "itrk", "iprt"), words=("tracknumber", "track", "partnumber", "track/partnumber")
    ),
    "bpm": Names(codes=("tbpm", "tmpo", "ibpm"), words=("bpm", "beatsperminute", "tempo", "track/bpm")),
    "key": Names(codes=("tkey",), words=("initialkey", "key", "keysignature", "track/initialkey")),
    "comment": Names(
        codes=("comm", "\xa9cmt", "icmt", "anno"), words=("comment", "comments", "description", "track/comment")
    ),
    "composer": Names(codes=("tcom", "\xa9wrt", "imus", "icom"), words=("composer", "track/composer", "writer")),
    "mood": Names(codes=("tmoo",), words=("mood", "track/mood")),
}  # fmt: skip
"""By field of `Tags`: in ID3, MP4, RIFF INFO and AIFF by code, elsewhere by word."""

_OTHER_CODES = {
    "grouping": ("tit1", "grp1", "\xa9grp"),
    "publisher": ("tpub",),
    "label": ("tpub",),
    "language": ("tlan", "ilng"),
    "lyricist": ("text",),
    "conductor": ("tpe3",),
    "remixer": ("tpe4",),
    "discnumber": ("tpos", "disk"),
    "isrc": ("tsrc",),
    "copyright": ("tcop", "cprt", "icop"),
    "encodedby": ("tenc", "itch", "\xa9too"),
    "compilation": ("tcmp", "cpil"),
}
"""The codes of some fields that are read when they are asked for."""


def names_of(name: str) -> Names:
    """Return the names of a field of `Tags`, or of any other one by its folded name."""
    return NAMES.get(name) or Names(codes=(*_OTHER_CODES.get(name, ()), name), words=(name,))
