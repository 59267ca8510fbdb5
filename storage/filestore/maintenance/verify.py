"""Reading a whole store and checking every checksum; `repair` mends what this finds.

Each damage names the file, and the track or the content and family in it. Verifying changes nothing and may run beside
everything else.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import h5py
import msgspec

from pipeline.errors import StoreError
from pipeline.features.spec import FeatureSpec
from pipeline.text import printable
from pipeline.wire import Value
from storage import durable
from storage.filestore.format import trailer
from storage.filestore.format.families import FamilyTable, read_contents
from storage.filestore.format.hdf5 import DamagedError, VanishedError, file_errors, open_file
from storage.filestore.format.records import RecordTable, read_rows
from storage.filestore.index import TRACKS
from storage.filestore.layout import Layout, Manifest, PartEntry, SegmentName, family_set
from storage.filestore.maintenance.rescue import RescueTable
from storage.filestore.segments import read_segment

_ATTEMPTS = 5

OnFile = Callable[[int], None]
"""Called after each file with its size, bytes."""


class Damage(Value, frozen=True, kw_only=True):
    """A file, or a part of one, that is not what was written."""

    file: str
    """Its path, relative to the store."""
    reason: str
    track_id: str = ""
    """Of the damaged record or segment; empty when it is another damage."""
    content_hash: str = ""
    """Of the content whose rows are damaged; empty when it is another damage."""
    family: str = ""
    """The key of the family whose rows are damaged; empty when it is another damage."""

    def __str__(self) -> str:
        named = (("track", self.track_id), ("content", self.content_hash), ("family", self.family))
        where = ", ".join(f"{what} {which}" for what, which in named if which)
        return f"{printable(self.file)}: {self.reason}" + (f" ({where})" if where else "")


class VerifyReport(Value, frozen=True, kw_only=True):
    """How much was read, which damages were found, and what was done about them."""

    documents: int = 0
    segments: int = 0
    parts: int = 0
    records: int = 0
    """Records whose CRC-32 was checked."""
    contents: int = 0
    """Contents of families whose rows' CRC-32 was checked."""
    size_bytes: int = 0
    damages: tuple[Damage, ...] = ()
    repairs: tuple[str, ...] = ()
    """One line for each repair."""
    beyond_repair: tuple[str, ...] = ()
    """One line for each damage that could not be repaired."""


def verify(root: Path, *, on_file: OnFile = lambda _: None) -> VerifyReport:
    """Read the whole store and report its damages; changes nothing. Raises `StoreError` when a folder is unreadable."""
    return _Verification(root, on_file).run()


class _Verification:
    """One pass over a store."""

    def __init__(self, root: Path, on_file: OnFile) -> None:
        # A layout of its own, which has no document cached.
        self._layout = Layout(root)
        self._on_file = on_file
        self._report = VerifyReport()
        self._damages: list[Damage] = []

    def run(self) -> VerifyReport:
        sets = self._families()
        # First the inbox, then the manifest, so that a segment that is merged in between is in both, not in neither.
        for name in list(self._layout.segments()):
            self._segment(name, sets)
        entries = self._manifests()
        for entry in entries:
            if entry.kind != TRACKS and not any(entry.kind in keys for keys in sets.values()):
                self._damage(self._layout.parts / entry.name, "no document describes its family", family=entry.kind)
            self._part(entry)
        return self._report.replace(damages=tuple(self._damages))

    def _families(self) -> dict[str, frozenset[str]]:
        """Check the documents in `families/` and return the keys in each intact one, by the digest in its name."""
        sets: dict[str, frozenset[str]] = {family_set(()): frozenset()}
        for digest in self._layout.family_sets():
            path = self._layout.family_path(digest)
            try:
                with durable.store_errors(path, "be read"):
                    self._read(path, documents=1)
                keys = frozenset(spec.key for spec in self._layout.specs_in(digest))
            except StoreError as error:
                self._damage(path, reason_of(error))
                continue
            if family_set(keys) == digest:
                sets[digest] = keys
            else:
                self._damage(path, "it describes other families than its name says")
        return sets

    def _manifests(self) -> tuple[PartEntry, ...]:
        """Check the manifests and return the parts that the newest names."""
        generations = self._layout.generations()
        newest: Manifest | None = None
        for number in generations:
            path = self._layout.manifest_path(number)
            try:
                manifest = self._layout.find_manifest(number)
            except StoreError as error:
                self._damage(path, reason_of(error))
                manifest = None
            else:
                if manifest is None:
                    continue  # collected meanwhile
            with suppress(OSError):  # collected meanwhile, or named above
                self._read(path, documents=1)
            newest = manifest
        if not generations:
            self._damage(self._layout.root / "manifest", "there is no manifest")
        return newest.parts if newest is not None else ()

    def _segment(self, name: SegmentName, sets: dict[str, frozenset[str]]) -> None:
        path = self._layout.inbox / name.path
        families = sets.get(name.family_set)
        try:
            if families is None:
                with open_file(path) as file:
                    families = frozenset(file.get("features", ()))
                self._damage(path, f"no document tells the families {name.family_set}", track_id=name.track_id)
            size = path.stat().st_size
            with open_file(path) as file:
                read_rows(file)
                for key in families:
                    read_spec(file, key)
            _, rows = read_segment(self._layout, name, families)
        except (VanishedError, FileNotFoundError):
            return  # merged meanwhile
        except StoreError as error:
            self._damage(path, reason_of(error), track_id=name.track_id, content_hash=name.rank.content_hash)
            return
        self._count(segments=1, records=1, contents=len(rows), size_bytes=size)

    def _part(self, entry: PartEntry) -> None:
        path = self._layout.parts / entry.name
        before = len(self._damages)
        try:
            self._read(path, parts=1)
            if entry.kind == TRACKS:
                self._records(path, entry)
            else:
                self._rows(path, entry)
        except StoreError as error:
            self._damage(path, reason_of(error), family="" if entry.kind == TRACKS else entry.kind)
        except FileNotFoundError:
            self._damage(path, "is missing", family="" if entry.kind == TRACKS else entry.kind)
        if len(self._damages) == before and path.stat().st_size != entry.size_bytes:
            self._damage(path, f"has {path.stat().st_size} bytes, not the {entry.size_bytes} its manifest tells")

    def _records(self, path: Path, entry: PartEntry) -> None:
        with open_file(path) as file:
            table = RecordTable.read(file)
            for row in range(0 if table.intact else len(table)):
                try:
                    with file_errors(path):
                        table.record(row)
                except DamagedError as error:
                    self._damage(path, reason_of(error), track_id=table.track_id(row))
            read_rows(file)
            self._check_number(entry, len(table))
        self._count(records=len(table))

    def _rows(self, path: Path, entry: PartEntry) -> None:
        with open_file(path) as file:
            read_spec(file, entry.kind)
            read_contents(file, entry.kind)
            table = RescueTable(file, entry.kind)
            self._check_number(entry, len(table.contents))
            before = len(self._damages)
            for at in _suspects(file, entry.kind):
                if table.rows(at) is None:
                    self._damage(path, "rows fail their CRC-32", content_hash=table.contents[at], family=entry.kind)
            is_whole = schema_of(file) < 2 or trailer.is_whole(path)
        if not is_whole and len(self._damages) == before:
            self._damage(path, "bytes that are no rows fail their CRC-32", family=entry.kind)
        self._count(contents=len(table.contents))

    def _check_number(self, entry: PartEntry, number: int) -> None:
        if number != entry.entries:
            self._damage(self._layout.parts / entry.name, f"holds {number} entries, not the {entry.entries} it should")

    def _read(self, path: Path, *, documents: int = 0, parts: int = 0) -> None:
        self._count(documents=documents, parts=parts, size_bytes=path.stat().st_size)

    def _count(self, *, size_bytes: int = 0, **amounts: int) -> None:
        more = {name: getattr(self._report, name) + amount for name, amount in amounts.items()}
        self._report = self._report.replace(size_bytes=self._report.size_bytes + size_bytes, **more)
        if size_bytes:
            self._on_file(size_bytes)

    def _damage(self, path: Path, reason: str, *, track_id: str = "", content_hash: str = "", family: str = "") -> None:
        file = str(path.relative_to(self._layout.root))
        self._damages.append(
            Damage(file=file, reason=reason, track_id=track_id, content_hash=content_hash, family=family)
        )


def _suspects(file: h5py.File, key: str) -> Iterator[int]:
    """Yield the positions of contents that may be damaged: those of each span of which one fails."""
    table = FamilyTable(file, key)
    contents = table.contents
    for span in table.spans(range(len(table))):
        try:
            table.rows_at(span, contents[span[0] : span[-1] + 1])
        except (DamagedError, OSError, ValueError, RuntimeError):
            yield from span


def read_spec(file: h5py.File, key: str) -> FeatureSpec:
    """Return the spec of a family in a file. Raises `DamagedError` when it is that of another family."""
    spec = msgspec.json.decode(bytes(file["features"][key].attrs["spec"]), type=FeatureSpec)
    if spec.key != key:
        raise DamagedError(f"it describes {spec.key} where {key} should be")
    return spec


def schema_of(file: h5py.File) -> int:
    """Return the schema a file was written in."""
    return int(file.attrs["schema"])


def reason_of(error: StoreError) -> str:
    """Return an error's message without the name of the file before it."""
    return str(error).partition(": ")[2] or str(error)
