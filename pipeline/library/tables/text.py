"""The text of a CSV file, whatever program wrote it: UTF-8, UTF-16, or bytes that are neither."""

import codecs
import re
from pathlib import Path

from pipeline.errors import UsageError

_SURROGATES = re.compile("[\udc80-\udcff]")

_UNUSUAL = frozenset("\u0192\u2020\u2021\u02c6\u2030\u2039\u203a\u02dc\xa2\xa4\xa5\xa6\xa8\xac\xaf\xb1\xb5\xb6\xb8\xb9")
"""What names hardly hold, and text in other encodings does when it is read as Windows-1252."""

_NOT_WESTERN = re.compile(
    "[a-z\xdf-\xff][\u017d\u0160\u0178\u0152\xc0-\xde]"  # a capital within a word: a Mac's, or of DOS
    "|[A-Za-z][\u017d\u0160\u0178\u0152\xc0-\xde][a-z]"
    "|[A-Za-z][\u201a\u201e]"  # an opening quote that closes
    "|[A-Za-z][\u201c\u201d\u2026][A-Za-z]"
)
_LONG_RUN = re.compile("[\udc80-\udc84\udc86-\udc90\udc98-\udc9f\udca1-\udcaa\udcac-\udcba\udcbc-\udcff]{3}")
"""Three letters beyond ASCII in a row: Cyrillic, Greek, Chinese, Japanese, and no word of Western Europe."""


def read_text(source: str, subject: str) -> str:
    """Return the text of a CSV file; bytes that are no UTF-8 are surrogates in it, as in file names.

    Raises `UsageError` for a file that cannot be read, is damaged UTF-16, or holds a NUL byte.
    """
    try:
        raw = Path(source).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{subject}: {reason}; give a CSV file with the columns path,label") from error
    encoding = wide_encoding(raw)
    if encoding:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError as error:
            name = "UTF-32" if encoding.startswith("utf-32") else "UTF-16"
            raise UsageError(f"{subject}: not valid {name} ({error.reason}); write it again in UTF-8") from error
    else:
        text = raw.decode("utf-8", "surrogateescape")
    text = text.replace("\ufeff", "").rstrip("\x1a")  # marks of files that were joined; the end of a file in DOS
    if (at := text.find("\0")) >= 0:
        line = len(re.findall(r"\r\n|\r|\n", text[:at])) + 1
        raise UsageError(f"{subject}: line {line} has a NUL byte; write it again as CSV in UTF-8")
    return text


def first_bad_byte(cell: str) -> int | None:
    """Return the first byte of a cell that is no UTF-8; None where all are."""
    match = None if cell.isascii() else _SURROGATES.search(cell)
    return ord(match[0]) - 0xDC00 if match else None


def western(cell: str) -> str | None:
    """Return a cell with what is no UTF-8 read as Windows-1252; None where it is in another encoding by its looks."""
    if first_bad_byte(cell) is None:
        return cell
    if _LONG_RUN.search(cell):
        return None
    try:
        text = _SURROGATES.sub(lambda match: bytes([ord(match[0]) - 0xDC00]).decode("cp1252"), cell)
    except UnicodeDecodeError:
        return None
    return None if _NOT_WESTERN.search(text) or _UNUSUAL.intersection(text) else text


def encoded_twice(cell: str) -> str | None:
    """Return what a cell was before its UTF-8 was taken for Windows-1252 and encoded again; None for any other."""
    if cell.isascii():
        return None
    words = [_decoded_again(word) for word in cell.split(" ")]
    return " ".join(words) if words != cell.split(" ") else None


def _decoded_again(word: str) -> str:
    raw = bytearray()
    for character in word:
        try:
            # The five bytes that Windows-1252 leaves free are passed through by most programs.
            raw += character.encode("latin-1" if "\x80" <= character <= "\x9f" else "cp1252")
        except UnicodeEncodeError:
            return word
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return word


def wide_encoding(raw: bytes) -> str:
    """Return the encoding of a text in characters of two or four bytes; empty for any other."""
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Names of columns and patterns begin in ASCII: without a mark, every second byte at the start is zero.
    head = raw[:8]
    if len(head) >= 4 and not any(head[1::2]) and all(head[0::2]):
        return "utf-16-le"
    if len(head) >= 4 and not any(head[0::2]) and all(head[1::2]):
        return "utf-16-be"
    return ""
