"""Ballroom: 698 excerpts of dance music, some of one recording."""

# Paths are text here, as everywhere in a scan.
# ruff: noqa: PTH118
import os
import re
from collections.abc import Sequence

from pipeline.library.layouts.layout import Layout, LayoutReader, has, subfolders
from pipeline.library.tables.table import Role

DANCES = frozenset(("chachacha", "jive", "quickstep", "rumba", "samba", "tango", "viennesewaltz", "waltz"))
"""Names of folders, in lower case; the kinds of rumba have folders of their own, as in `Rumba-Misc`."""

_ALBUM = re.compile(r"^Albums-(.+)-\d+$")
REPLICAS = {
    "Albums-AnaBelen_Veneo": "Chrisanne2",
    "Media-104705": "Secret_Garden",
    "Media-103414": "Latin_Jam3",
    "Media-103415": "Media-103402",
}
"""Of the 13 pairs that are one recording (Sturm 2014), those that are not of one album, and the group of both."""


_NOTE = (
    "Ballroom has no official split; excerpts of an album stay together, and so do the 13 pairs that are one recording "
    "(Sturm 2014)"
)


def _read(_libraries: Sequence[str]) -> LayoutReader:
    return LayoutReader(
        values=_values,
        roles=frozenset(("label", "group")),
        notes=(_NOTE,),
    )


def _values(path: str, role: Role) -> tuple[str, ...]:
    _, folder, name = path.rsplit("/", 2) if path.count("/") > 1 else ("", "", path)
    dance = folder.partition("-")[0]
    if dance.lower() not in DANCES:
        return ()
    if role == "label":
        return (dance, folder)
    return (_group(os.path.splitext(name)[0]),) if role == "group" else ()  # noqa: PTH122


def _group(stem: str) -> str:
    album = _ALBUM.match(stem)
    if album is None:
        return REPLICAS.get(stem, stem)
    return REPLICAS.get(f"Albums-{album[1]}", album[1])


def _looks_like(folder: str) -> bool:
    for inside in (folder, os.path.join(folder, "BallroomData")):
        names = {name.lower() for name in subfolders(inside)}
        if {"chachacha", "viennesewaltz"} <= names:
            return True
    return has(folder, "allBallroomFiles")


LAYOUT = Layout(
    name="ballroom",
    title="Ballroom",
    gives="its dances, albums and known copies",
    looks_like=_looks_like,
    read=_read,
)
