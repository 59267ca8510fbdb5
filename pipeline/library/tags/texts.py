"""Texts of tags that nothing says the encoding of."""

import codecs

MOST_BYTES = 64 << 20
"""The longest block of tags that is read."""

_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def plain_text(content: bytes) -> str:
    """Return a text: UTF-16 where it begins as that does, UTF-8 where it is valid, else Windows-1252."""
    if content.startswith(_BOMS):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")
