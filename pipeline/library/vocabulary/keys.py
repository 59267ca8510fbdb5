"""When two labels count as the same name: keys that differ for different names alone."""

import re
import unicodedata

_IGNORABLE = re.compile("[\u00ad\u034f\u180b-\u180f\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff]")
"""Characters that nobody sees."""

_APOSTROPHES = re.compile("['`\u00b4\u2018\u2019\u02bc]")

_NUMBER = re.compile(r"((?<=\d)[\W_]+(?=\d)|^[-+](?=\d))")
"""What makes another number of digits: `1.5` is not 15, `1/2` not 12, and -1 not 1."""

_SIGN = re.compile("[&+#]")
"""Signs that are read aloud: R&B is no RB, and C# no C."""

_LETTERS = re.compile(r"\b([^\W\d_]) & ([^\W\d_])\b")
"""An abbreviation of two letters, as R&B."""

_HUMP = re.compile(r"(?<=[^\W\d_][a-z][a-z])(?=[A-Z][a-z][a-z])")
"""Between two words that are written as one, of three letters at least: not in McCoy and DnB."""


def label_key(label: str) -> str:
    """Return what a label shares with every other spelling of its name.

    Case, blanks, hyphens, punctuation and forms of Unicode do not count; letters with their accents, digits and the
    signs `&`, `+` and `#` do. A label of nothing else is its own key.
    """
    plain = plain_text(label)
    return _composed(_filtered(plain, "")) or plain


def plain_text(label: str) -> str:
    """Return a label without capitals, in one form of Unicode, its blanks single."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", label).casefold()).casefold()
    return " ".join(_composed(_IGNORABLE.sub("", text)).split())


def words_of(label: str) -> list[str]:
    """Return the words of a label in small letters, each sign a word; `HipHop` has two."""
    text = _HUMP.sub(" ", unicodedata.normalize("NFKC", label))
    text = _APOSTROPHES.sub("", plain_text(text))
    return _SIGN.sub(r" \g<0> ", _filtered(text, " ")).split()


def spelling(label: str) -> str:
    """Return one spelling for a label that nobody has a name for: its words, each with a capital.

    It is made of the label alone, so that it is the same in every library and every order.
    """
    text = " ".join(_capital(word) for word in words_of(label))
    text = _LETTERS.sub(r"\1&\2", text.replace(" #", "#").replace(" +", "+"))
    return text if label_key(text) == label_key(label) else label


def without_accents(key: str) -> str:
    """Return a key of Latin, Greek or Cyrillic letters without their accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", key) if not "\u0300" <= c <= "\u036f")


def _filtered(text: str, gap: str) -> str:
    """Return a text with `gap` in place of what does not count."""
    parts = _NUMBER.split(text)  # every second one is within a number
    return "".join(
        part.strip()[:1] or " " if at % 2 else "".join(c if _is_kept(c) else gap for c in part)
        for at, part in enumerate(parts)
    )


def _is_kept(c: str) -> bool:
    return c.isalnum() or _SIGN.match(c) is not None or unicodedata.category(c)[0] == "M"


def _composed(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _capital(word: str) -> str:
    capital = word[:1].upper() + word[1:]
    return capital if plain_text(capital) == word else word
