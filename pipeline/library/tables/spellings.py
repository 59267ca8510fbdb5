"""The paths that a cell of a table may mean: of this system, of Windows, of a URL."""

import re
import unicodedata
from urllib.parse import unquote

from pipeline.library.tables.text import western

_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_FILE_URL = re.compile("^file:(?://(?:localhost)?(?=/))?", re.IGNORECASE)
_DRIVE = re.compile(r"^/?[A-Za-z]:(?=[\\/])")
_SEPARATORS = re.compile(r"[\\/]+")


def spellings(entry: str) -> tuple[str, ...]:
    """Return the paths that a cell may mean, the literal one first unless it is a URL."""
    if entry.isascii() and not any(mark in entry for mark in ("%", "\\", ":")):
        return (entry,)
    bare = _FILE_URL.sub("", entry, count=1)
    literal = [bare] if bare == entry else []  # no file is named file:///...
    if bare != entry or _ESCAPE.search(bare):
        literal.append(unquote(bare, errors="surrogateescape"))
    found: list[str] = []
    for path in (*literal, *(western(path) or path for path in literal)):
        found.append(path)
        if "\\" in path or _DRIVE.match(path):
            found.append(_DRIVE.sub("", path).replace("\\", "/"))
    return tuple(dict.fromkeys(found))


def is_rewritten(entry: str, path: str) -> bool:
    """Return whether a cell stands for a path only when it is read as Windows or a URL writes one."""
    foreign = "\\" in entry or _DRIVE.match(entry) or _FILE_URL.match(entry) or _ESCAPE.search(entry)
    return bool(foreign) and not path.endswith(entry)


def path_parts(path: str) -> list[str]:
    """Return the names that a path consists of, whichever system wrote it, without a drive."""
    return [part for part in _SEPARATORS.split(_DRIVE.sub("", path)) if part not in {"", "."}]


def folded(name: str) -> str:
    """Return one form for all spellings of a name that differ in case or Unicode form alone."""
    return name.casefold() if name.isascii() else unicodedata.normalize("NFC", name.casefold())
