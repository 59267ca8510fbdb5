"""The bytes of a cue sheet to its text: UTF-8 or UTF-16 where it says so or is so, else what it most likely is."""

import codecs
import unicodedata

from pipeline.library.cue.sheet import SheetError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES = {"cp932": "Shift-JIS", "gb18030": "GBK", "cp1252": "Windows-1252"}
_GOOD, _DOUBTFUL, _BAD = 1.0, 0.0, -1.0


def decode_sheet(data: bytes) -> tuple[str, str]:
    """Return the text of a sheet, and its encoding where that had to be guessed, else an empty string.

    Raises `SheetError` for what is no text.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            try:
                return data.decode(encoding), ""
            except UnicodeDecodeError as error:
                raise SheetError(f"it is not the text that its first bytes promise ({error.reason})") from error
    if b"\0" in data:
        raise SheetError("it is not text")
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    texts = {encoding: text for encoding in _NAMES if (text := _decoded(data, encoding)) is not None}
    best = max(texts, key=lambda encoding: _plausibility(texts[encoding], encoding))
    return texts[best], _NAMES[best]


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding, "replace" if encoding == "cp1252" else "strict")
    except UnicodeDecodeError:
        return None


def _plausibility(text: str, encoding: str) -> float:
    """Return how likely it is that a text is meant to be as it reads, from -1 to 1, by its letters beyond ASCII.

    Each of these bytes reads as something in every encoding, but seldom as what people write.
    """
    judge = {"cp932": _japanese, "gb18030": _chinese, "cp1252": _western}[encoding]
    letters = [(before, letter) for before, letter in zip(f" {text}", text, strict=False) if not letter.isascii()]
    return sum(judge(letter, before) for before, letter in letters) / max(len(letters), 1)


def _japanese(letter: str, _before: str) -> float:
    if "\u3040" <= letter <= "\u30ff" or "\u3000" <= letter <= "\u303f" or "\uff01" <= letter <= "\uff5e":
        return _GOOD
    if "\uff61" <= letter <= "\uff9f":  # a single byte, of which Western text would be full
        return _BAD
    # The characters of level 1 are those in use.
    return _GOOD if "\x88\x9f" <= letter.encode("cp932", "replace").decode("latin-1") < "\x98\x73" else _DOUBTFUL


def _chinese(letter: str, _before: str) -> float:
    code = letter.encode("gb18030", "replace")
    if len(code) != 2 or code[1] < 0xA1:
        return _BAD  # not in GB 2312
    if 0xB0 <= code[0] <= 0xD7 or code[0] in (0xA1, 0xA3):
        return _GOOD * 0.95
    return _DOUBTFUL if 0xD8 <= code[0] <= 0xF7 else _BAD


def _western(letter: str, before: str) -> float:
    if letter.isalpha():
        # Between letters of ASCII: two of the others seldom meet.
        return 0.9 if before.isascii() else -0.5
    return 0.5 if unicodedata.category(letter) in {"Pd", "Pi", "Pf", "Po", "Zs"} and before.isascii() else -0.5
