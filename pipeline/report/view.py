"""The parts of a report page, which is all that the template knows."""

from dataclasses import dataclass
from typing import ClassVar

from pipeline.report.content import LISTED
from pipeline.report.words import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number of the first screen."""

    name: str
    value: str
    note: str = ""
    is_alarming: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The head of a table's column."""

    title: str
    is_number: bool = False
    is_code: bool = False
    """Paths and identifiers: fixed width, broken anywhere."""
    is_prose: bool = False
    """Sentences and lists: wide enough to be read."""

    @property
    def css_class(self) -> str:
        """The class of such a column in the style sheet."""
        return "number" if self.is_number else "code" if self.is_code else "prose" if self.is_prose else "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under column heads; the first cell of a row names it."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    is_folded: bool = False
    """Behind a line to click on: for numbers that a chart already shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A picture as an SVG element, with a caption."""

    kind: ClassVar[str] = "chart"
    svg: str
    caption: str
    is_wide: bool = False
    """Alone in its row of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Text to be copied, in fixed width."""

    kind: ClassVar[str] = "listing"
    caption: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Something to listen to, inside the page."""

    kind: ClassVar[str] = "sound"
    data: str
    """The file in base64."""
    media_type: str
    caption: str


Block = Table | Chart | Listing | Sound


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page with its own heading."""

    anchor: str
    title: str
    words: tuple[str, ...] = ()
    """Paragraphs."""
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole report."""

    title: str
    kicker: str
    headline: str
    words: tuple[str, ...]
    tiles: tuple[Tile, ...]
    picture: Chart | None
    """The picture beside the headline."""
    sections: tuple[Section, ...]
    footer: str


def first_rows(rows: list[tuple[str, ...]], *, total: int | None = None) -> tuple[tuple[tuple[str, ...], ...], str]:
    """Return at most `LISTED` rows, and a note of how many there were when that is not all.

    `total` is the true number of rows, where the list was cut before.
    """
    total_rows = max(len(rows), total or 0)
    listed = tuple(rows[:LISTED])
    return listed, f"{count(len(listed))} of {count(total_rows)} shown." if total_rows > len(listed) else ""
