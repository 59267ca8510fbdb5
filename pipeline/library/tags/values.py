"""From the texts of a field as a file has them to its values: no empty ones, no placeholders, no numbers for names."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from pipeline.library.tags.names import TagBlock, Texts, names_of
from pipeline.library.tags.placeholders import is_placeholder

LONGEST = 250
"""How many characters of a value are kept."""

MOST = 100
"""How many values of a field are kept."""

_BLANKS = " \t\r\n\v\f\xa0\u200b\u2060\u3000\ufeff\0"
_NULS = re.compile("\0")
_LINES = re.compile("[\0\r\n\v\f\x85\u2028\u2029]")
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of writing: nobody sees them, and terminals obey them."""
_OF_LINES = frozenset({"comment", "title"})
"""Fields whose texts may have several lines."""
_JOINTS = ";,|/"
_NUMBERED = re.compile(r"((?:\((?:[0-9]{1,3}|RX|CR)\))+)(.*)", re.DOTALL)
_ID3_WORDS = {"RX": "Remix", "CR": "Cover"}


def field_values(blocks: Iterable[TagBlock], field: str) -> tuple[tuple[str, ...], bool]:
    """Return the values of a field, and whether any were cut.

    Of several blocks of tags in one file, and several names in a block, the first that says something counts.
    """
    names = names_of(field)
    for block in blocks:
        for texts in names.texts(block):
            values = list(dict.fromkeys(_clean(texts, field)))
            if values:
                kept = tuple(value[:LONGEST].rstrip(_BLANKS) for value in values[:MOST])
                return tuple(dict.fromkeys(kept)), list(kept) != values
    return (), False


def _clean(texts: Texts, field: str) -> Iterator[str]:
    for text in texts:
        # Blocks of several values in one text have NUL between them, or a line for each.
        for part in (_NULS if field in _OF_LINES else _LINES).split(text):
            tidy = _tidy(part)
            for value in _genres(tidy) if field == "genre" else _number(tidy) if field == "track" else (tidy,):
                if value and not is_placeholder(value, field):
                    yield value


def _tidy(text: str) -> str:
    """Return a text without blanks around it, in one Unicode form, and such as JSON and a page can carry."""
    plain = _INVISIBLE.sub("", text.encode("utf-8", "replace").decode("utf-8"))
    return unicodedata.normalize("NFC", plain).strip(_BLANKS)


def _number(text: str) -> tuple[str, ...]:
    """Return the number of a track without that of all tracks: `3` of `03/12`."""
    number = text.partition("/")[0].strip()
    return (number.lstrip("0") or "0",) if number.isascii() and number.isdigit() else (text,)


def _genres(text: str) -> list[str]:
    """Return the genres of a text: numbers of ID3, as in `17`, `(17)`, `(17)(18)Euro` and `RX`, become names.

    A separator at an end, as in `; Rock`, is of a list of which the other values were empty.
    """
    text = text.strip(_BLANKS + _JOINTS)
    if text in _ID3_WORDS or (text.isascii() and text.isdigit() and len(text) <= 3):
        return _named(text)
    match = _NUMBERED.fullmatch(text)
    if match is None:
        return [text[1:] if text.startswith("((") else text]  # ID3's way to begin a name with a bracket
    named = [name for number in match[1][1:-1].split(")(") for name in _named(number)]
    rest = match[2].strip(_BLANKS)
    return [*named, rest[1:] if rest.startswith("((") else rest]


def _named(number: str) -> list[str]:
    """Return the name of a genre by its number in ID3; none for a number without a name, such as 255."""
    from mutagen import id3  # only for the few files with numbers

    if number in _ID3_WORDS:
        return [_ID3_WORDS[number]]
    names = id3.TCON.GENRES
    return [names[int(number)]] if int(number) < len(names) else []
