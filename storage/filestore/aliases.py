"""Sounds whose features lie under another content's name: homes made before named contents by all bytes of the file."""

import numpy as np

from storage.filestore.format.hdf5 import open_file
from storage.filestore.format.records import read_aliases
from storage.filestore.index import TRACKS
from storage.filestore.layout import Layout, Manifest
from storage.ids import pack, unpack


class Aliases:
    """Where the parts of a store have the features of a sound, 32 bytes for each; safe from threads.

    Nothing is read before the first look-up, and of a part without such sounds nothing is kept.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._known: dict[str, np.ndarray] = {}

    def content_of(self, sound_hash: str, manifest: Manifest) -> str | None:
        """Return the content that has a sound in some part of a manifest, or None. Raises `StoreError`."""
        packed = pack(sound_hash).rstrip(b"\0")
        names = {part.name for part in manifest.parts if part.kind == TRACKS}
        known = {name: self._known[name] if name in self._known else self._load(name) for name in names}
        self._known = known
        for aliases in filter(len, known.values()):
            at = int(np.searchsorted(aliases["sound_hash"], packed))
            if at < len(aliases) and aliases["sound_hash"][at] == packed:
                return unpack(aliases["content_hash"][at])
        return None

    def _load(self, name: str) -> np.ndarray:
        with open_file(self._layout.parts / name) as file:
            return read_aliases(file)
