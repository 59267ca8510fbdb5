"""What programs write into a field where they know nothing: in English, and in the languages they are translated to."""
# ruff: noqa: RUF001 -- the letters are Greek and Cyrillic, and meant

import unicodedata

_BRACKETS = "<>()[]{}* \t"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split("|"))


PLACEHOLDERS: dict[str, frozenset[str]] = {
    "": _words(
        "unknown|n/a|n / a|n.a.|null|undefined|not available|not specified|unspecified|-|?|"
        "unbekannt|inconnu|desconocido|sconosciuto|desconhecido|onbekend|okänd|ukendt|ukjent|tuntematon|nieznany|"
        "neznámý|ismeretlen|necunoscut|bilinmiyor|άγνωστο|неизвестно|不明|未知|알 수 없음"
    ),
    "genre": _words(
        "unknown genre|no genre|no genre specified|genre|none|nan|not set|unclassifiable|unclassified|uncategorized|"
        "unbekanntes genre|genre inconnu|género desconocido|sin género|genere sconosciuto|gênero desconhecido|"
        "onbekend genre|okänd genre|ukendt genre|ukjent sjanger|tuntematon laji|nieznany gatunek|neznámý žánr|"
        "ismeretlen műfaj|bilinmeyen tür|неизвестный жанр|不明なジャンル|未知流派|알 수 없는 장르"
    ),
    "artist": _words(
        "unknown artist|no artist|unbekannter interpret|unbekannter künstler|artiste inconnu|artista desconocido|"
        "artista sconosciuto|artista desconhecido|onbekende artiest|okänd artist|ukendt kunstner|ukjent artist|"
        "tuntematon artisti|tuntematon esittäjä|nieznany wykonawca|neznámý interpret|neznámý umělec|"
        "ismeretlen előadó|bilinmeyen sanatçı|άγνωστος καλλιτέχνης|неизвестный исполнитель|不明なアーティスト|"
        "未知艺术家|未知藝人|알 수 없는 아티스트"
    ),
    "album": _words(
        "unknown album|no album|unbekanntes album|album inconnu|álbum desconocido|album sconosciuto|"
        "álbum desconhecido|onbekend album|okänt album|ukendt album|ukjent album|tuntematon albumi|nieznany album|"
        "neznámé album|ismeretlen album|bilinmeyen albüm|неизвестный альбом|不明なアルバム|未知专辑|未知專輯|"
        "알 수 없는 앨범"
    ),
    "title": frozenset({"unknown title", "no title"}),
    "mood": frozenset({"none"}),
    "key": frozenset({"none"}),
    "year": frozenset({"0", "0000"}),
    "track": frozenset({"0"}),
    "bpm": frozenset({"0", "0.0", "0.00"}),
}
"""In any field, and in some, in small letters without brackets. "Other" and "Misc" are genres that people choose."""

_OTHER_FIELDS = {"album_artist": "artist", "composer": "artist"}


def is_placeholder(value: str, field: str) -> bool:
    """Return whether a value stands for none; case and brackets around it do not count."""
    folded = value.casefold()
    # A band may be called "!!!", and a song "..."; no genre is.
    if field == "genre" and all(unicodedata.category(c)[0] in "PZ" for c in folded):
        return True
    words = (PLACEHOLDERS[""], PLACEHOLDERS.get(_OTHER_FIELDS.get(field, field), frozenset()))
    return any(form in each for form in (folded, folded.strip(_BRACKETS)) for each in words)
