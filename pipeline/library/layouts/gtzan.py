"""GTZAN: ten genres of a hundred excerpts, with faults that are known, and lists that leave them out."""

# Paths are text here, as everywhere in a scan.
# ruff: noqa: PTH118
import os
import re
from collections.abc import Sequence
from pathlib import PurePath

from pipeline.library.layouts.layout import (
    TEST,
    TRAIN,
    VALIDATION,
    Layout,
    LayoutReader,
    find_file,
    missing_notes,
    read_list,
    subfolders,
)
from pipeline.library.tables.table import Role

GENRES = frozenset(("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"))
PLACES = ("genres_original", "Data/genres_original", "genres")
LISTS = ((TRAIN, "train_filtered.txt"), (VALIDATION, "valid_filtered.txt"), (TEST, "test_filtered.txt"))
"""The fault-filtered split of Kereliuk, Sturm and Larsen (2015)."""

_NAME = re.compile(r"^([a-z]+)\.?\d{5}(?=\.|$)")


def _read(libraries: Sequence[str]) -> LayoutReader:
    paths = {fold: find_file(libraries, name) for fold, name in LISTS}
    folds: dict[str, str] = {}
    notes: list[str] = []
    there = _stems(libraries)
    for fold, path in paths.items():
        if path is None or None in paths.values():
            continue  # two of three lists would leave a side empty
        lines = read_list(path)
        folds |= {_stem(line): fold for line in lines}
        notes += missing_notes(path, [line for line in lines if _stem(line) not in there])
    if folds:
        notes.insert(
            0,
            f"the fault-filtered split of GTZAN: {len(folds):,} files, artists apart; no other file is learned from",
        )
    else:
        notes.append(
            "GTZAN holds some recordings more than once and the same artists over and over (Sturm 2013), and comes "
            "without a list of artists: scores of a split at random are too good; with train_filtered.txt, "
            "valid_filtered.txt and test_filtered.txt beside it, the fault-filtered split is used"
        )

    def values(path: str, role: Role) -> tuple[str, ...]:
        stem = _stem(path)
        genre = _NAME.match(stem)
        if not genre or genre[1] not in GENRES or (folds and stem not in folds):
            return ()
        if role == "fold":
            return (folds[stem],) if folds else ()
        return (genre[1],) if role == "label" else ()

    roles: tuple[Role, ...] = ("label", "fold") if folds else ("label",)
    return LayoutReader(values=values, roles=frozenset(roles), notes=tuple(notes))


def _stem(path: str) -> str:
    """Return a file's name without its extension: the set comes as AU and as WAV."""
    return PurePath(path).stem


def _stems(libraries: Sequence[str]) -> frozenset[str]:
    """Return the names without extension of all files in the folders of the genres."""
    folders = {library for given in libraries for library in (given, *(os.path.join(given, at) for at in PLACES))}
    return frozenset(
        _stem(name) for folder in folders for genre in GENRES for name in subfolders(os.path.join(folder, genre))
    )


def _looks_like(folder: str) -> bool:
    for place in ("", *PLACES):
        inside = os.path.join(folder, place)
        genres = GENRES & subfolders(inside)
        if len(genres) >= 3 and all(
            any(_stem(name) == f"{genre}.00000" for name in subfolders(os.path.join(inside, genre))) for genre in genres
        ):
            return True
    return False


LAYOUT = Layout(
    name="gtzan",
    title="GTZAN",
    gives="its genres, and the fault-filtered split where its lists are there",
    looks_like=_looks_like,
    read=_read,
    has_sides=True,
    faults={"jazz.00054": "cannot be read in most copies", "reggae.00086": "has no usable sound in its last 25 s"},
)
