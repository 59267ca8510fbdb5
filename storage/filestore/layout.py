"""The folders and names of a file store.

    store.json                      what this folder is, and its schema
    families/<set>.json             the specs of one set of families; <set> is the digest of their keys
    inbox/<t><c>/<segment>.h5       one immutable segment per commit
    parts/<kind>-<random>.h5        compacted: the records, or the rows of one family, of up to some thousand tracks
    manifest/00000001.json          the parts that count; the highest number is the present
    tmp/                            files being written
    damaged/                        segments set aside because their bytes are not what was written

The inbox is a grid: the first hex digit of a folder is the track id's, the second the content hash's. "Which record of
this track?" lists one row of it and "which families of this content?" one column, sixteen small folders each, and a
segment's name answers both without opening it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from pipeline.errors import StoreError, UsageError
from pipeline.features.spec import FeatureSpec
from pipeline.tracks import TrackRecord, printable
from pipeline.wire import Value
from storage import durable
from storage.documents import Documents
from storage.rules import Rank, rank

SCHEMA = 1
"""Raised when an older chordal could no longer read what this one writes."""

FOLDERS = ("damaged", "families", "inbox", "manifest", "parts", "tmp")

_FORMAT = "chordal-feature-store"
_HEX = "0123456789abcdef"
_NO_CONTENT = "0" * 32
"""Stands for the missing hash of a file that could not be read."""


class SegmentName(NamedTuple):
    """What the name of a segment tells."""

    track_id: str
    rank: Rank
    family_set: str
    """Names the document that lists the families inside."""

    @classmethod
    def of(cls, record: TrackRecord, families: Iterable[str]) -> Self:
        """Return the name of the segment that holds a record and the rows of some families."""
        return cls(record.track_id, rank(record), family_set(families))

    @classmethod
    def parse(cls, file_name: str) -> Self | None:
        """Return what a file name in the inbox tells, or None when it is no segment."""
        match file_name.split("."):
            case [track_id, sequence, ("ok" | "failed") as state, content_hash, families, "h5"]:
                known = "" if content_hash == _NO_CONTENT else content_hash
                return cls(track_id, Rank(int(sequence, 16), state == "ok", known), families)
            case _:
                return None

    @property
    def folder(self) -> str:
        """The folder in the grid."""
        return self.track_id[0] + (self.rank.content_hash or _NO_CONTENT)[0]

    @property
    def path(self) -> str:
        """Where the segment is, below the inbox."""
        sequence, succeeded, content_hash = self.rank
        state = "ok" if succeeded else "failed"
        name = f"{self.track_id}.{sequence:016x}.{state}.{content_hash or _NO_CONTENT}.{self.family_set}.h5"
        return f"{self.folder}/{name}"


def family_set(keys: Iterable[str]) -> str:
    """Return the digest that names a set of family keys, 12 hex digits."""
    return hashlib.blake2b("\n".join(sorted(keys)).encode(), digest_size=6).hexdigest()


class StoreMark(Value, frozen=True, kw_only=True):
    """The content of `store.json`."""

    format: str
    schema: int


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


class Manifest(Value, frozen=True, kw_only=True):
    """The parts that count."""

    schema: int = SCHEMA
    parts: tuple[PartEntry, ...] = ()


class Layout:
    """The paths of one store and what their names tell; holds no open file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inbox = root / "inbox"
        self.parts = root / "parts"
        self.tmp = root / "tmp"
        self.damaged = root / "damaged"
        self._documents = Documents(root, scratch="tmp")
        self._families: dict[str, tuple[FeatureSpec, ...]] = {family_set(()): ()}

    def segments(self, *, row: str = _HEX, column: str = _HEX) -> Iterator[SegmentName]:
        """Yield the segments of some rows and columns of the grid, by hex digits."""
        for first in row:
            for second in column:
                with durable.store_errors(self.inbox, "be listed"):
                    names = durable.names_in(self.inbox / f"{first}{second}")
                for name in names:
                    parsed = SegmentName.parse(name)
                    if parsed is not None:
                        yield parsed

    def segments_of_track(self, track_id: str) -> list[SegmentName]:
        """Return the segments that hold a record of a track, the one that counts last."""
        return sorted(name for name in self.segments(row=track_id[:1]) if name.track_id == track_id)

    def segments_of_content(self, content_hash: str) -> list[SegmentName]:
        """Return the segments of a content."""
        return [name for name in self.segments(column=content_hash[:1]) if name.rank.content_hash == content_hash]

    def families_in(self, name: SegmentName) -> frozenset[str]:
        """Return the keys of the families a segment holds."""
        return frozenset(spec.key for spec in self.specs_in(name.family_set))

    def specs_in(self, digest: str) -> tuple[FeatureSpec, ...]:
        """Return the specs of a set of families."""
        if digest not in self._families:
            self._families[digest] = self._documents.read(f"families/{digest}", FamilySet).specs
        return self._families[digest]

    def spec(self, family_key: str) -> FeatureSpec:
        """Return the spec of a family that has been stored. Raises `StoreError` when none tells it."""
        for name in self._documents.names("families"):
            for spec in self.specs_in(name.rpartition("/")[2]):
                if spec.key == family_key:
                    return spec
        raise StoreError(f"{printable(str(self.root))}: no document in families/ describes {family_key}")

    def publish_specs(self, specs: Iterable[FeatureSpec]) -> None:
        """Make a set of families known, durably; must come before the first segment that names it."""
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
        return self._documents.exists(_manifest(generation))

    def manifest(self, generation: int) -> Manifest:
        """Return a manifest. Raises `StoreError` when it is gone."""
        return self._documents.read(_manifest(generation), Manifest)

    def find_manifest(self, generation: int) -> Manifest | None:
        """Return a manifest, or None when it is gone."""
        return self._documents.find(_manifest(generation), Manifest)

    def publish_manifest(self, generation: int, manifest: Manifest) -> bool:
        """Publish a manifest; False when there is one of that number already."""
        return self._documents.publish(_manifest(generation), manifest)

    def manifest_path(self, generation: int) -> Path:
        """Return the file of a manifest."""
        return self._documents.path(_manifest(generation))


def _manifest(generation: int) -> str:
    return f"manifest/{generation:08d}"


def open_layout(root: Path) -> Layout:
    """Return the layout of the store in a folder, made first where the folder is new or empty.

    Raises `UsageError` naming the folder, the reason and the mend when it cannot be made or written, holds something
    else, or was written by a newer chordal.
    """
    shown = printable(str(root))
    documents = Documents(root, scratch="tmp")
    try:
        mark = documents.find("store", StoreMark)
        if mark is None:
            _make(root, documents)
        elif mark.format != _FORMAT:
            raise UsageError(f"{shown}: is no feature store but {mark.format!r}; give another folder")
        elif mark.schema > SCHEMA:
            raise UsageError(
                f"{shown}: was written by a newer chordal (schema {mark.schema}, this one knows {SCHEMA}); "
                "upgrade chordal or give another folder"
            )
        _probe(root)
    except StoreError as error:
        raise UsageError(f"{error}; give a folder that can be written") from error
    except OSError as error:
        raise UsageError(
            f"{shown}: the store cannot be opened ({durable.reason(error)}); give a folder that can be written"
        ) from error
    return Layout(root)


def _make(root: Path, documents: Documents) -> None:
    """Make the folders of a new store; the mark comes last and says that they are complete."""
    durable.make_folder(root)
    # What an interrupted start left behind is ours; anything else in the folder is not.
    foreign = set(durable.names_in(root)) - {*FOLDERS, "store.json"}
    if foreign:
        raise UsageError(
            f"{printable(str(root))}: is no feature store, it holds {printable(min(foreign))!r}; "
            "give an empty or a new folder"
        )
    for name in FOLDERS:
        durable.make_folder(root / name)
    if not documents.names("manifest"):
        documents.publish(_manifest(0), Manifest())
    documents.publish("store", StoreMark(format=_FORMAT, schema=SCHEMA))


def _probe(root: Path) -> None:
    """Raise `OSError` unless files can be created, named twice and removed here: what every commit will do."""
    first, second = durable.temporary(root / "tmp"), durable.temporary(root / "tmp")
    try:
        first.touch()
        second.hardlink_to(first)
    finally:
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)
