"""Checks of stored rows before anything learns from them: NaN and infinite values, constant columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Bool, Float32, Int64
from pipeline.errors import UsageError
from pipeline.features.registry import family
from pipeline.learning.dataset.flaws import Flaw
from pipeline.learning.dataset.manifests import DatasetTrack
from pipeline.learning.dataset.row_reader import RowReader, iterate_rows

MOST_COLUMNS = 5
"""At most so many columns are named in a flaw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soundness:
    """The result of the check of some tracks' rows."""

    flaws: tuple[Flaw, ...]
    """Of tracks with usable rows in every family."""
    unusable_flaws: tuple[Flaw, ...]
    """Of tracks without a usable row in some family."""
    unusable: Mapping[int, str]
    """Tracks, by position, without a usable row in some family that has rows of them, and why."""
    constant: dict[str, tuple[str, ...]]
    """Columns with one value in all rows, by family."""


def check_rows(tracks: Sequence[DatasetTrack], families: Mapping[str, str], source: RowReader) -> Soundness:
    """Return the flaws of the rows of some tracks; reads each row once.

    `families` maps names to keys in the store.
    """
    flaws: list[tuple[int, Flaw]] = []
    unusable: dict[int, str] = {}
    constant: dict[str, tuple[str, ...]] = {}
    for name, key in families.items():
        column_ranges = _Columns()
        for position, rows in enumerate(iterate_rows(source, key, [track.content_hash for track in tracks])):
            flaw = _flaw(tracks[position].path, name, rows.values)
            column_ranges.add(rows.values, are_finite=flaw is None)
            if flaw is None:
                continue
            flaws.append((position, flaw))
            if flaw.rows == flaw.of:
                unusable[position] = f"NaN or infinite values: in every row of {name} ({', '.join(flaw.columns)})"
        if constant_columns := column_ranges.constant(name):
            constant[name] = constant_columns
    return Soundness(
        flaws=tuple(flaw for position, flaw in flaws if position not in unusable),
        unusable_flaws=tuple(flaw for position, flaw in flaws if position in unusable),
        unusable=unusable,
        constant=constant,
    )


@dataclass(slots=True)
class _Columns:
    """The range of each column over rows that are added track by track."""

    least: Float32 | None = None
    largest: Float32 | None = None
    rows: int = 0

    def add(self, values: Float32, *, are_finite: bool) -> None:
        """Count in the rows (n, *row_shape) that are finite."""
        sound = values if are_finite else values[_finite(values)]
        if not len(sound):
            return
        columns = sound.reshape(-1, sound.shape[-1])
        least, largest = columns.min(axis=0), columns.max(axis=0)
        self.rows += len(columns)
        self.least = least if self.least is None else np.minimum(self.least, least)
        self.largest = largest if self.largest is None else np.maximum(self.largest, largest)

    def constant(self, name: str) -> tuple[str, ...]:
        """Return the columns of a family that never varied."""
        if self.rows < 2 or self.least is None or self.largest is None:
            return ()
        return _names(name, np.flatnonzero(self.least == self.largest), len(self.least))


def _finite(values: Float32) -> Bool:
    """Return which rows (n, *row_shape) are finite throughout, shape (n,)."""
    return np.array([np.isfinite(row).all() for row in values], np.bool_)


def _flaw(path: str, name: str, values: Float32) -> Flaw | None:
    """Return the flaw of the rows of a track, None for sound rows."""
    if not len(values) or np.isfinite(values).all():
        return None
    columns = np.flatnonzero(~np.isfinite(values.reshape(-1, values.shape[-1])).all(axis=0))
    named = _names(name, columns, values.shape[-1])
    more = (f"and {len(named) - MOST_COLUMNS} more",) if len(named) > MOST_COLUMNS else ()
    return Flaw(
        path=path,
        features=name,
        columns=(*named[:MOST_COLUMNS], *more),
        rows=int(np.count_nonzero(~_finite(values))),
        of=len(values),
    )


def _names(name: str, columns: Int64, width: int) -> tuple[str, ...]:
    """Return the names of some columns; their numbers where the family is not installed or has another width."""
    try:
        names = family(name).spec.columns
    except UsageError:
        names = ()
    return tuple(names[number] if len(names) == width else f"column {number}" for number in columns.tolist())
