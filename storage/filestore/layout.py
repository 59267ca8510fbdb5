"""The folders and names of a file store.

    store.json                      the mark of a feature store, with its schema
    families/<set>.json             the specs of one set of families; <set> is the digest of their keys
    inbox/<t><c>/<segment>.h5       one immutable segment per commit
    parts/<kind>-<random>.h5        compacted: the records, or the rows of one family, of up to some thousand tracks
    manifest/00000001.json          the parts that count; the one of the highest number is current
    tmp/                            files being written
    pins/                           manifests that readers keep for longer than the collection's grace
    damaged/                        files set aside because their bytes are damaged

The inbox is a grid: the first hex digit of a folder is the track id's, the second the content hash's. A look-up by
track lists one row of it and one by content one column, sixteen small folders each, and a segment's name has all that
such a look-up needs, so that no file is opened.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from pipeline.errors import StoreError
from pipeline.features.spec import FeatureSpec
from pipeline.library.tracks import TrackRecord
from pipeline.text import printable
from pipeline.wire import Value
from storage import durable
from storage.documents import Documents
from storage.filestore.inbox import Listings
from storage.rules import Rank, State, rank

SCHEMA = 2
"""The version of the format; increased when an older chordal could no longer read what this one writes."""

FOLDERS = ("damaged", "families", "inbox", "manifest", "parts", "pins", "tmp")

_HEX = "0123456789abcdef"
GRID = tuple(f"{row}{column}" for row in _HEX for column in _HEX)
_NO_CONTENT = "0" * 32
"""Stands for the missing hash of a file that could not be read."""

_STATES = {"failed": State.FAILED, "ok": State.EXTRACTED, "retry": State.RETRY, "deleted": State.DELETED}
"""The states by their words in the names of segments."""

_WORDS = {state: word for word, state in _STATES.items()}


class SegmentName(NamedTuple):
    """The facts in the name of a segment."""

    track_id: str
    rank: Rank
    family_set: str
    """The digest of the families inside, which is the name of the document with their specs."""

    @classmethod
    def of(cls, record: TrackRecord, families: Iterable[str]) -> Self:
        """Return the name of the segment that holds a record and the rows of some families."""
        return cls(record.track_id, rank(record), family_set(families))

    @classmethod
    def parse(cls, file_name: str) -> Self | None:
        """Return the parsed name of a file in the inbox, or None when it is no segment."""
        match file_name.split("."):
            case [track_id, sequence, state, content_hash, families, "h5"] if state in _STATES:
                content = "" if content_hash == _NO_CONTENT else content_hash
                return cls(track_id, Rank(int(sequence, 16), _STATES[state], content), families)
            case _:
                return None

    @property
    def folder(self) -> str:
        """The folder of the grid that the segment is in."""
        return self.track_id[0] + (self.rank.content_hash or _NO_CONTENT)[0]

    @property
    def path(self) -> str:
        """The path of the segment, relative to the inbox."""
        sequence, state, content_hash = self.rank
        word = _WORDS[state]
        name = f"{self.track_id}.{sequence:016x}.{word}.{content_hash or _NO_CONTENT}.{self.family_set}.h5"
        return f"{self.folder}/{name}"


def family_set(keys: Iterable[str]) -> str:
    """Return the digest that names a set of family keys, 12 hex digits."""
    return hashlib.blake2b("\n".join(sorted(keys)).encode(), digest_size=6).hexdigest()


def _parse_names(files: Iterable[str]) -> Iterator[SegmentName]:
    return (name for file in files if (name := SegmentName.parse(file)) is not None)


class FamilySet(Value, frozen=True, kw_only=True):
    """The content of a document in `families/`."""

    specs: tuple[FeatureSpec, ...]


class PartEntry(Value, frozen=True, kw_only=True):
    """One compacted file."""

    name: str
    kind: str
    """`tracks`, or the key of the family whose rows it holds."""
    entries: int
    """How many records, or contents."""
    size_bytes: int
    unused_since_s: float | None = None
    """Since when no track refers to any of its contents, Unix seconds by the file system's clock; None while one does
    or may. Readers and writers still find them, so that a file that comes back is not extracted again."""
    condemned_since_s: float | None = None
    """Since when its contents are not found any more, so that no new record refers to them when they are dropped."""


class Manifest(Value, frozen=True, kw_only=True):
    """The parts that count."""

    schema: int = SCHEMA
    parts: tuple[PartEntry, ...] = ()

    @property
    def visible(self) -> tuple[PartEntry, ...]:
        """The parts whose contents are found by readers and writers: all that are not condemned."""
        return tuple(part for part in self.parts if part.condemned_since_s is None)


class Layout:
    """The paths of one store, its names and its documents; holds no open file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inbox = root / "inbox"
        self._listings = Listings(self.inbox)
        self.parts = root / "parts"
        self.tmp = root / "tmp"
        self.pins = root / "pins"
        self.damaged = root / "damaged"
        self._documents = Documents(root, scratch="tmp")
        self._families: dict[str, tuple[FeatureSpec, ...]] = {family_set(()): ()}

    def segments(self) -> Iterator[SegmentName]:
        """Yield all segments."""
        for folder in GRID:
            with durable.store_errors(self.inbox, "be listed"):
                files = durable.names_in(self.inbox / folder)
            yield from _parse_names(files)

    def segments_of_track(self, track_id: str) -> list[SegmentName]:
        """Return the segments that hold a record of a track, by rank: the last one counts."""
        names = self._segments_with(track_id, (f"{track_id[0]}{column}" for column in _HEX))
        return sorted(name for name in names if name.track_id == track_id)

    def segments_of_content(self, content_hash: str) -> list[SegmentName]:
        """Return the segments of a content."""
        names = self._segments_with(content_hash, (f"{row}{content_hash[0]}" for row in _HEX))
        return [name for name in names if name.rank.content_hash == content_hash]

    def _segments_with(self, hex_id: str, folders: Iterable[str]) -> Iterator[SegmentName]:
        with durable.store_errors(self.inbox, "be listed"):
            files = [file for folder in folders for file in self._listings.names_with(folder, hex_id)]
        return _parse_names(files)

    def families_in(self, name: SegmentName) -> frozenset[str]:
        """Return the keys of the families a segment holds."""
        return frozenset(spec.key for spec in self.specs_in(name.family_set))

    def specs_in(self, digest: str) -> tuple[FeatureSpec, ...]:
        """Return the specs of a set of families. Raises `StoreError` when its document cannot be read."""
        if digest not in self._families:
            self._families[digest] = self._documents.read(f"families/{digest}", FamilySet).specs
        return self._families[digest]

    def family_sets(self) -> list[str]:
        """Return the digests of the sets of families that have a document."""
        return [name.rpartition("/")[2] for name in self._documents.names("families")]

    def family_path(self, digest: str) -> Path:
        """Return the file of a set of families."""
        return self._documents.path(f"families/{digest}")

    def spec(self, family_key: str) -> FeatureSpec:
        """Return the spec of a stored family. Raises `StoreError` when no document has it."""
        for name in self._documents.names("families"):
            for spec in self.specs_in(name.rpartition("/")[2]):
                if spec.key == family_key:
                    return spec
        raise StoreError(f"{printable(str(self.root))}: no document in families/ describes {family_key}")

    def publish_specs(self, specs: Iterable[FeatureSpec]) -> None:
        """Write the document of a set of families, durably; must come before the first segment that names the set."""
        ordered = tuple(sorted(specs, key=lambda spec: spec.key))
        digest = family_set(spec.key for spec in ordered)
        if digest not in self._families:
            self._documents.publish(f"families/{digest}", FamilySet(specs=ordered))
            self._families[digest] = ordered

    def generations(self) -> list[int]:
        """Return the numbers of the manifests, ascending."""
        return [int(name.rpartition("/")[2]) for name in self._documents.names("manifest")]

    def has_manifest(self, generation: int) -> bool:
        """Return whether there is a manifest of that number."""
        return self._documents.exists(_manifest_name(generation))

    def manifest(self, generation: int) -> Manifest:
        """Return a manifest. Raises `StoreError` when there is none of that number."""
        return self._documents.read(_manifest_name(generation), Manifest)

    def find_manifest(self, generation: int) -> Manifest | None:
        """Return a manifest, or None when there is none of that number."""
        return self._documents.find(_manifest_name(generation), Manifest)

    def publish_manifest(self, generation: int, manifest: Manifest) -> bool:
        """Publish a manifest; False when there is one of that number already."""
        return self._documents.publish(_manifest_name(generation), manifest)

    def manifest_path(self, generation: int) -> Path:
        """Return the file of a manifest."""
        return self._documents.path(_manifest_name(generation))


def _manifest_name(generation: int) -> str:
    return f"manifest/{generation:08d}"
