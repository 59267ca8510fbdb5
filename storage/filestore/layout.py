"""The folders and names of a file store.

    store.json                      what this folder is, and its schema
    families/<set>.json             the specs of one set of families; <set> is the digest of their keys
    inbox/<t><c>/<segment>.h5       one immutable segment per commit
    parts/<kind>-<random>.h5        compacted: the records, or the rows of one family, of up to some thousand tracks
    manifest/00000001.json          the parts that count; the highest number is the present
    tmp/                            files being written
    pins/                           what readers hold for longer than the collection's grace
    damaged/                        files set aside because their bytes are not what was written

The inbox is a grid: the first hex digit of a folder is the track id's, the second the content hash's. "Which record of
this track?" lists one row of it and "which families of this content?" one column, sixteen small folders each, and a
segment's name answers both without opening it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from pipeline.errors import StoreError, UsageError
from pipeline.features.spec import FeatureSpec
from pipeline.tracks import TrackRecord, printable
from pipeline.wire import Value
from storage import durable
from storage.documents import Documents
from storage.filestore.inbox import Listings
from storage.rules import Rank, State, rank

SCHEMA = 2
"""Raised when an older chordal could no longer read what this one writes."""

FOLDERS = ("damaged", "families", "inbox", "manifest", "parts", "pins", "tmp")

_FORMAT = "chordal-feature-store"
_MARK = "store.json"
_HEX = "0123456789abcdef"
_GRID = tuple(f"{row}{column}" for row in _HEX for column in _HEX)
_NO_CONTENT = "0" * 32
"""Stands for the missing hash of a file that could not be read."""

_STATES = {"failed": State.FAILED, "ok": State.EXTRACTED, "retry": State.RETRY, "deleted": State.DELETED}
_WORDS = {state: word for word, state in _STATES.items()}
"""How the name of a segment tells a state."""


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
            case [track_id, sequence, state, content_hash, families, "h5"] if state in _STATES:
                known = "" if content_hash == _NO_CONTENT else content_hash
                return cls(track_id, Rank(int(sequence, 16), _STATES[state], known), families)
            case _:
                return None

    @property
    def folder(self) -> str:
        """The folder in the grid."""
        return self.track_id[0] + (self.rank.content_hash or _NO_CONTENT)[0]

    @property
    def path(self) -> str:
        """Where the segment is, below the inbox."""
        sequence, state, content_hash = self.rank
        told = _WORDS[state]
        name = f"{self.track_id}.{sequence:016x}.{told}.{content_hash or _NO_CONTENT}.{self.family_set}.h5"
        return f"{self.folder}/{name}"


def family_set(keys: Iterable[str]) -> str:
    """Return the digest that names a set of family keys, 12 hex digits."""
    return hashlib.blake2b("\n".join(sorted(keys)).encode(), digest_size=6).hexdigest()


class StoreMark(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `store.json`; read so that a mark with more in it than is known here still tells these two."""

    format: str
    schema: int


def _parsed(files: Iterable[str]) -> Iterator[SegmentName]:
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
    """Since when no track refers to any of its contents, Unix seconds by the file system's clock; None while one does,
    or for all anybody knows. They are still there for a file that comes back."""
    condemned_since_s: float | None = None
    """Since when nobody is told of its contents any more, so that nobody refers to them when they go."""


class Manifest(Value, frozen=True, kw_only=True):
    """The parts that count."""

    schema: int = SCHEMA
    parts: tuple[PartEntry, ...] = ()

    @property
    def visible(self) -> tuple[PartEntry, ...]:
        """The parts whose contents anybody is told of."""
        return tuple(part for part in self.parts if part.condemned_since_s is None)


class Layout:
    """The paths of one store and what their names tell; holds no open file."""

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
        for folder in _GRID:
            with durable.store_errors(self.inbox, "be listed"):
                files = durable.names_in(self.inbox / folder)
            yield from _parsed(files)

    def segments_of_track(self, track_id: str) -> list[SegmentName]:
        """Return the segments that hold a record of a track, the one that counts last."""
        near = self._segments_telling(track_id, (f"{track_id[0]}{column}" for column in _HEX))
        return sorted(name for name in near if name.track_id == track_id)

    def segments_of_content(self, content_hash: str) -> list[SegmentName]:
        """Return the segments of a content."""
        near = self._segments_telling(content_hash, (f"{row}{content_hash[0]}" for row in _HEX))
        return [name for name in near if name.rank.content_hash == content_hash]

    def _segments_telling(self, wanted: str, folders: Iterable[str]) -> Iterator[SegmentName]:
        with durable.store_errors(self.inbox, "be listed"):
            files = [file for folder in folders for file in self._listings.telling(folder, wanted)]
        return _parsed(files)

    def families_in(self, name: SegmentName) -> frozenset[str]:
        """Return the keys of the families a segment holds."""
        return frozenset(spec.key for spec in self.specs_in(name.family_set))

    def specs_in(self, digest: str) -> tuple[FeatureSpec, ...]:
        """Return the specs of a set of families."""
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
    """Return the layout of the store in a folder to write into, made first where the folder is new or empty.

    Raises `UsageError` naming the folder, the reason and the mend when it cannot be made or written, holds something
    else, or was written by a newer chordal.
    """
    shown = printable(str(root))
    try:
        mark = _read_mark(root)
        if mark is None or mark.schema < SCHEMA:
            _make(root, older=mark is not None)
        _probe(root)
    except StoreError as error:
        raise UsageError(f"{error}; give a folder that can be written") from error
    except OSError as error:
        raise UsageError(
            f"{shown}: the store cannot be opened ({durable.reason(error)}); give a folder that can be written"
        ) from error
    return Layout(root)


def find_layout(root: Path) -> Layout:
    """Return the layout of a store that is there, to read; nothing is made, changed or tried out.

    Raises `UsageError` naming the folder, the reason and the mend when there is none, or it was written by a newer
    chordal.
    """
    shown = printable(str(root))
    try:
        mark = _read_mark(root)
    except StoreError as error:
        raise UsageError(f"{error}; give the folder of a store") from error
    if mark is None:
        reason = "is no feature store" if root.exists() else "there is no such folder"
        raise UsageError(f"{shown}: {reason}; `chordal run LIBRARY` makes one in the folder `store` of its home")
    return Layout(root)


def _read_mark(root: Path) -> StoreMark | None:
    """Return what a folder says it is, or None when it says nothing; refuses what is no store of ours to read."""
    path, shown = root / _MARK, printable(str(root))
    with durable.store_errors(path, "be read"):
        try:
            mark = msgspec.json.decode(path.read_bytes(), type=StoreMark)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{shown}: is no feature store ({_MARK}: {error}); give another folder") from error
    if mark.format != _FORMAT:
        raise UsageError(f"{shown}: is no feature store but {printable(mark.format)!r}; give another folder")
    if mark.schema > SCHEMA:
        raise UsageError(
            f"{shown}: was written by a newer chordal (schema {mark.schema}, this one knows {SCHEMA}); "
            "upgrade chordal or give another folder"
        )
    return mark


def _make(root: Path, *, older: bool) -> None:
    """Make the folders of a new store, or those an older one lacks; the mark comes last and says all are there.

    An older store becomes one of this schema: what it holds stays as it is, and is read as it is.
    """
    durable.make_folder(root)
    # What an interrupted start left behind is ours; anything else in the folder is not.
    foreign = set(durable.names_in(root)) - {*FOLDERS, _MARK}
    if foreign and not older:
        raise UsageError(
            f"{printable(str(root))}: is no feature store, it holds {printable(min(foreign))!r}; "
            "give an empty or a new folder"
        )
    for name in FOLDERS:
        durable.make_folder(root / name)
    # All of the grid at once: a folder of its own for the first segments would cost each of them a flush more.
    for folder in _GRID:
        (root / "inbox" / folder).mkdir(exist_ok=True)
    durable.sync_path(root / "inbox")
    layout = Layout(root)
    if not older and not layout.generations():
        layout.publish_manifest(0, Manifest())
    # Without the checksum of other documents: every chordal, older ones too, has to understand it.
    mark = durable.temporary(layout.tmp)
    durable.write_whole(mark, json.dumps({"format": _FORMAT, "schema": SCHEMA}).encode("ascii") + b"\n")
    mark.replace(root / _MARK)
    durable.sync_path(root)


def _probe(root: Path) -> None:
    """Raise `OSError` unless files can be created, named twice and removed here: what every commit will do."""
    first, second = durable.temporary(root / "tmp"), durable.temporary(root / "tmp")
    try:
        first.touch()
        second.hardlink_to(first)
    finally:
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)
