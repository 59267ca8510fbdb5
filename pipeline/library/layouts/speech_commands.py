"""Speech Commands: one-second words by many speakers, with official lists for validation and test."""

# Paths are text here, as everywhere in a scan.
# ruff: noqa: PTH118, PTH120
import os
import re
from collections.abc import Sequence

from pipeline.library.layouts.layout import (
    TEST,
    TRAIN,
    VALIDATION,
    Layout,
    LayoutReader,
    has,
    missing_notes,
    read_list,
    require_file,
)
from pipeline.library.tables.table import Role

NOISE = "_background_noise_"
LISTS = ((VALIDATION, "validation_list.txt"), (TEST, "testing_list.txt"))
_SPEAKER = re.compile("^(.+)_nohash_")


def _read(libraries: Sequence[str]) -> LayoutReader:
    folds: dict[str, str] = {}
    notes = ["the official split of Speech Commands: its lists validate and test, all else trains, by speaker"]
    for fold, name in LISTS:
        path = require_file("speech-commands", libraries, name)
        lines = read_list(path)
        folds |= dict.fromkeys(lines, fold)
        folders = (os.path.dirname(path), *libraries)
        gone = [line for line in lines if not any(os.path.lexists(os.path.join(folder, line)) for folder in folders)]
        notes += missing_notes(path, gone)

    def values(path: str, role: Role) -> tuple[str, ...]:
        _, word, name = path.rsplit("/", 2) if path.count("/") > 1 else ("", "", path)
        if word == NOISE or not (speaker := _SPEAKER.match(name)):
            return ()
        if role == "fold":
            return (folds.get(f"{word}/{name}", TRAIN),)
        return (word,) if role == "label" else (speaker[1],)

    return LayoutReader(values=values, roles=frozenset(("label", "group", "fold")), notes=tuple(notes))


LAYOUT = Layout(
    name="speech-commands",
    title="Speech Commands",
    gives="its words, speakers and official split",
    looks_like=lambda folder: has(folder, *(name for _, name in LISTS)),
    read=_read,
    has_sides=True,
    exclude=(NOISE,),
)
