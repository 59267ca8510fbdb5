"""Patterns of files and folders that are left out: those of `--exclude`, and of `.chordalignore` files in a library.

They are read as git reads a `.gitignore`: `*.tmp` and `Podcasts/` hold at any depth, `/Podcasts/` and `Live/*.mp3` from
the folder on that the pattern stands in, `**` is any number of folders, a `/` at the end means folders alone, and of
several patterns that match the last one counts, so that `!name` takes a name back.
"""

import os
import re
import stat
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.library.tables.text import western, wide_encoding
from pipeline.text import printable

IGNORE_FILE = ".chordalignore"
"""Name of the files with patterns for the folder that they lie in, and for all below it."""

_MOST_BYTES = 1 << 20
"""Of a file of patterns; what is longer is none."""


class Pattern(NamedTuple):
    """One pattern."""

    text: str
    """As it was given."""
    base: str
    """The folder that it holds in."""
    expression: re.Pattern[str]
    """Matches the path of a file or folder relative to `base`."""
    folders_alone: bool
    takes_back: bool


Patterns = tuple[Pattern, ...]


def parse_patterns(texts: Sequence[str], base: str) -> Patterns:
    """Return the patterns of `--exclude` for a library. Raises `UsageError` naming one that is none."""
    return tuple(_parse(text, base, f"exclude {printable(text)!r}") for text in texts)


def read_patterns(folder: str) -> Patterns:
    """Return the patterns of a folder's `.chordalignore`; blank lines and those that begin with `#` are none.

    A line that is no UTF-8 counts as its bytes, and as Windows-1252. Raises `OSError` when it cannot be read,
    `UsageError` naming the line that is no pattern.
    """
    path = os.path.join(folder, IGNORE_FILE)  # noqa: PTH118 - keeps odd bytes
    patterns: list[Pattern] = []
    for number, line in enumerate(_read(path).splitlines(), 1):
        text = line.rstrip() if not line.endswith("\\ ") else line
        if not text.strip() or text.startswith("#"):
            continue
        subject = f"{printable(path)}, line {number}: {printable(text)!r}"
        if "\0" in text:
            raise UsageError(f"{subject}: has a NUL byte; write the file again in UTF-8")
        patterns += [_parse(each, folder, subject) for each in dict.fromkeys((text, western(text) or text))]
    return tuple(patterns)


def matching(patterns: Patterns, path: str, *, is_folder: bool) -> Pattern | None:
    """Return the pattern by which a file or folder is left out; None when it is not.

    `path` is absolute; whether a folder above it is left out is not looked at.
    """
    for pattern in reversed(patterns):
        if pattern.folders_alone and not is_folder:
            continue
        relative = path[len(pattern.base.rstrip("/")) + 1 :]
        if pattern.expression.fullmatch(relative if relative.isascii() else unicodedata.normalize("NFC", relative)):
            return None if pattern.takes_back else pattern
    return None


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file")
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise OSError(0, f"longer than {_MOST_BYTES:,} bytes")
    if encoding := wide_encoding(content):
        try:
            return content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise OSError(0, f"not valid {encoding.upper()}; write it again in UTF-8") from error
    return os.fsdecode(content.removeprefix(b"\xef\xbb\xbf"))


def _parse(text: str, base: str, subject: str) -> Pattern:
    body = text.removeprefix("!") if text.startswith("!") else text
    body = body.removeprefix("\\") if body.startswith(("\\#", "\\!")) else body
    if body.startswith(f"{base.rstrip('/')}/") and base != "/":
        body = body[len(base.rstrip("/")) :]  # as a shell completes it
    folders_alone = body.endswith("/")
    body = body.rstrip("/") if folders_alone else body
    if not body.strip().strip("/"):
        raise UsageError(f"{subject}: names nothing; give a pattern, e.g. '*.tmp' or 'Podcasts/'")
    if any(part in {".", ".."} for part in body.split("/")):
        raise UsageError(f"{subject}: '.' and '..' are no names; patterns begin at the library's folder")
    anchored = "/" in body
    expression = _translate(body.removeprefix("/"), subject)
    return Pattern(
        text=text,
        base=base,
        expression=re.compile(expression if anchored else f"(?:.*/)?{expression}", re.DOTALL),
        folders_alone=folders_alone,
        takes_back=text.startswith("!"),
    )


def _translate(glob: str, subject: str) -> str:
    """Return a pattern as a regular expression. Raises `UsageError` for a bracket that is not closed."""
    glob = unicodedata.normalize("NFC", glob)
    parts: list[str] = []
    at = 0
    while at < len(glob):
        if match := _FOLDERS.match(glob, at):
            # At the beginning, in the middle, at the end: any number of folders, or all that is below.
            parts.append("(?:.*/)?" if match[0].endswith("/") else ".*")
        elif match := _STARS.match(glob, at):
            parts.append("[^/]*")
        elif glob[at] == "?":
            match = None
            parts.append("[^/]")
        elif glob[at] == "[":
            match = _SET.match(glob, at)
            if match is None:
                raise UsageError(f"{subject}: its '[' is not closed; write '[[]' for the letter itself")
            parts.append(_set_expression(match, subject))
        elif match := _ESCAPED.match(glob, at):
            parts.append(re.escape(match[1]))
        else:
            match = None
            parts.append(re.escape(glob[at]))
        at = match.end() if match else at + 1
    return "".join(parts)


_FOLDERS = re.compile(r"(?:(?<=/)|(?<![\s\S]))\*\*(?:/|\Z)")
_STARS = re.compile(r"\*+")
_SET = re.compile(r"\[([!^]?)(\]?[^\]]*)\]")
_ESCAPED = re.compile(r"\\([\s\S])")


def _set_expression(match: re.Match[str], subject: str) -> str:
    letters = re.sub(r"([\\\[\]^&~|])", r"\\\1", match[2])
    expression = f"(?!/)[{'^' if match[1] else ''}{letters}]"
    try:
        re.compile(expression)
    except re.error as error:
        raise UsageError(f"{subject}: {printable(match[0])} is no set of letters ({error.msg})") from error
    return expression
