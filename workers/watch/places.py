"""Whether a watched library, and what is mounted in it, is there, and still the same folder.

A watch is bound to a folder, not to its name: whoever unmounts it, or puts another one in its place, ends the watch,
and nobody says so. So the folder's identity, its device and inode, is compared with what it was.
"""

# pathlib does not take all names.
# ruff: noqa: PTH116
import os
import stat
from collections.abc import Iterable
from typing import Literal

from pipeline.wire import Value
from workers.watch import file_systems

NO_FOLDER = "no such folder"
UNMOUNTED = "nothing is mounted there"
EMPTY = "it is empty, as where nothing is mounted"
REPLACED = "another folder has its place"

KNOWN = file_systems.LOCAL | {""}
"""File systems on which a folder keeps its inode, and those of which nothing is known."""


class Place(Value, frozen=True, kw_only=True):
    """A folder as it was when somebody looked."""

    device: int = 0
    inode: int = 0
    is_empty: bool = False
    reason: str = ""
    """Why it cannot be looked into; empty when it can."""

    @property
    def is_filled(self) -> bool:
        """Whether something is in it."""
        return not self.reason and not self.is_empty

    def is_same(self, other: "Place") -> bool:
        """Return whether it is the same folder, not only one of the same name."""
        return (self.device, self.inode) == (other.device, other.inode)


Places = dict[str, Place]
"""A library and what is mounted in it, by path."""


class PlaceChange(Value, frozen=True, kw_only=True):
    """That a place went, came back, or is new in its library."""

    kind: Literal["gone", "back", "new"]
    path: str
    reason: str = ""


def look(library: str, more: Iterable[str] = ()) -> Places:
    """Return the state of a library and of the mounts in it, and of more folders in it.

    May take for ever, as any look at a server that does not answer.
    """
    root = look_into(library)
    if root.reason:
        return {library: root}
    real, table = os.path.realpath(library), file_systems.mounts()
    below = [library + mount.path[len(real) :] for mount in file_systems.mounts_below(real, table)]
    places = {library: root} | {path: look_into(path) for path in [*below, *more]}
    # Where inodes are made up, as by many a FUSE, a folder may have another one tomorrow.
    return {
        path: place if file_systems.kind_at(real + path[len(library) :], table) in KNOWN else place.replace(inode=0)
        for path, place in places.items()
    }


def look_into(folder: str) -> Place:
    """Return the state of a folder."""
    try:
        status = os.stat(folder)
        if not stat.S_ISDIR(status.st_mode):
            return Place(reason="a file, not a folder")
        with os.scandir(folder) as entries:
            is_empty = next(entries, None) is None
        os.stat(f"{folder}/.")  # to read its names is one right, to enter it another
    except FileNotFoundError:
        return Place(reason=NO_FOLDER)
    except OSError as error:
        return Place(reason=(error.strerror or str(error)).lower())
    return Place(device=status.st_dev, inode=status.st_ino, is_empty=is_empty)


class Presence:
    """Which places of a library are there; told what was seen, it returns what changed."""

    def __init__(self, library: str, places: Places) -> None:
        self._library = library
        self._known = dict(places)
        self._folders: set[str] = set()
        self.missing: dict[str, str] = {}
        """The places that are not there, with the reason."""

    @property
    def is_there(self) -> bool:
        """Whether the library itself is there."""
        return self._library not in self.missing

    def miss(self, path: str, reason: str) -> None:
        """Note that the library, or a folder in it where nothing has to be mounted, turned out not to be there."""
        if path != self._library:
            self._folders.add(path)
        self._miss(path, reason)

    def _miss(self, path: str, reason: str) -> None:
        self._known.setdefault(path, Place(reason=reason))
        self.missing[path] = reason

    def update(self, places: Places) -> list[PlaceChange]:
        """Return what changed since the last time; both `gone` and `back` for another folder of the same name."""
        root, known = places[self._library], self._known[self._library]
        if absence := _absence(known, root):
            if not self.is_there:
                return []
            self.missing = {self._library: absence}
            return [PlaceChange(kind="gone", path=self._library, reason=absence)]
        if self.is_there and known.is_same(root):
            inner = [path for path in self._known | places if path != self._library]
            return [change for path in inner if (change := self._update(path, places)) is not None]
        # An empty one is where something was still to be mounted: nothing went.
        went = self.is_there and not known.is_empty
        gone = [PlaceChange(kind="gone", path=self._library, reason=REPLACED)] if went else []
        self._known, self.missing = dict(places), {}
        return [*gone, PlaceChange(kind="back", path=self._library)]

    def _update(self, path: str, places: Places) -> PlaceChange | None:
        """Return what changed of a mount, and know it as it is now."""
        place, known = places.get(path, Place(reason=UNMOUNTED)), self._known.get(path)
        if path in self._folders and place.reason == NO_FOLDER:  # it was removed, and nobody waits for it
            self._forget(path)
            return None
        if absence := place.reason if known is None else _absence(known, place):
            if path in self.missing:
                return None
            self._miss(path, absence)
            return PlaceChange(kind="gone", path=path, reason=absence)
        self._known[path] = place
        if path in self.missing:
            if path in self._folders:  # from now on it is a folder as any other
                self._forget(path)
            self.missing.pop(path, None)
            return PlaceChange(kind="back", path=path)
        if known is not None and known.is_same(place):
            return None
        return PlaceChange(kind="new", path=path)

    def _forget(self, path: str) -> None:
        self._folders.discard(path)
        self._known.pop(path, None)
        self.missing.pop(path, None)


def _absence(known: Place, now: Place) -> str:
    """Return why a place is not there; an empty folder that it was not before is one where something was mounted."""
    return now.reason or (EMPTY if now.is_empty and not known.is_same(now) else "")
