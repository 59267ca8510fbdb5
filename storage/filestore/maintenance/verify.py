"""Reading all a store holds and checking every checksum; `repairing` mends what is found.

What is damaged is named: the file, and the track or the content and family inside it. Verifying changes nothing and
may run beside everything else.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import msgspec

from pipeline.errors import StoreError
from pipeline.features.spec import FeatureSpec
from pipeline.text import printable
from pipeline.wire import Value
from storage.filestore.format import trailer
from storage.filestore.format.families import FamilyTable, read_contents
from storage.filestore.format.hdf5 import DamagedError, VanishedError, naming, reading
from storage.filestore.format.records import Tracks, read_rows
from storage.filestore.index import TRACKS
from storage.filestore.layout import Layout, Manifest, PartEntry, SegmentName, family_set
from storage.filestore.maintenance.compaction import read_segment
from storage.filestore.maintenance.rescue import Rescued

_ATTEMPTS = 5

OnFile = Callable[[int], None]
"""Called with the size of each file that was read, bytes."""


class Damage(Value, frozen=True, kw_only=True):
    """Something that is not what was written."""

    file: str
    """Relative to the store."""
    reason: str
    track_id: str = ""
    """Of the record that is damaged, or whose segment is, where one is."""
    content_hash: str = ""
    """Of the content whose rows are damaged, where there is one."""
    family: str = ""
    """The key of their family."""

    def __str__(self) -> str:
        named = (("track", self.track_id), ("content", self.content_hash), ("family", self.family))
        where = ", ".join(f"{what} {which}" for what, which in named if which)
        return f"{printable(self.file)}: {self.reason}" + (f" ({where})" if where else "")


class VerifyReport(Value, frozen=True, kw_only=True):
    """What was read, and what of it was damaged."""

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
    """What was mended, one line each."""
    beyond_repair: tuple[str, ...] = ()
    """What could not be mended, one line each."""


def verify(root: Path, *, on_file: OnFile = lambda _: None) -> VerifyReport:
    """Read everything and return what is damaged; changes nothing. Raises `StoreError` when a folder cannot be read."""
    return _Verification(root, on_file).run()


class _Verification:
    """One pass over a store."""

    def __init__(self, root: Path, on_file: OnFile) -> None:
        # A layout of its own, that has read no document yet.
        self._layout = Layout(root)
        self._on_file = on_file
        self._report = VerifyReport()
        self._damages: list[Damage] = []

    def run(self) -> VerifyReport:
        described = self._families()
        # As a reader does: first the inbox, then the manifest, so that nothing merged in between is missed.
        for name in list(self._layout.segments()):
            self._segment(name, described)
        entries = self._manifests()
        for entry in entries:
            if entry.kind != TRACKS and not any(entry.kind in keys for keys in described.values()):
                self._damage(self._layout.parts / entry.name, "no document describes its family", family=entry.kind)
            self._part(entry)
        return self._report.replace(damages=tuple(self._damages))

    def _families(self) -> dict[str, frozenset[str]]:
        """Check the documents in `families/` and return the keys in each, by the digest that names it."""
        described: dict[str, frozenset[str]] = {family_set(()): frozenset()}
        for digest in self._layout.family_sets():
            path = self._layout.family_path(digest)
            self._read(path, documents=1)
            try:
                keys = frozenset(spec.key for spec in self._layout.specs_in(digest))
            except StoreError as error:
                self._damage(path, why(error))
                continue
            if family_set(keys) == digest:
                described[digest] = keys
            else:
                self._damage(path, "it describes other families than its name says")
        return described

    def _manifests(self) -> tuple[PartEntry, ...]:
        """Check the manifests and return the parts that the newest names."""
        generations = self._layout.generations()
        newest: Manifest | None = None
        for number in generations:
            path = self._layout.manifest_path(number)
            try:
                found = self._layout.find_manifest(number)
            except StoreError as error:
                self._damage(path, why(error))
                found = None
            else:
                if found is None:
                    continue  # collected meanwhile
            self._read(path, documents=1)
            newest = found
        if not generations:
            self._damage(self._layout.root / "manifest", "there is no manifest")
        return newest.parts if newest is not None else ()

    def _segment(self, name: SegmentName, described: dict[str, frozenset[str]]) -> None:
        path = self._layout.inbox / name.path
        families = described.get(name.family_set)
        try:
            if families is None:
                with reading(path) as file:
                    families = frozenset(file.get("features", ()))
                self._damage(path, f"no document tells the families {name.family_set}", track_id=name.track_id)
            size = path.stat().st_size
            with reading(path) as file:
                read_rows(file)
                for key in families:
                    described_by(file, key)
            _, rows = read_segment(self._layout, name, families)
        except (VanishedError, FileNotFoundError):
            return  # merged meanwhile
        except StoreError as error:
            self._damage(path, why(error), track_id=name.track_id, content_hash=name.rank.content_hash)
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
            self._damage(path, why(error), family="" if entry.kind == TRACKS else entry.kind)
        except FileNotFoundError:
            self._damage(path, "is missing", family="" if entry.kind == TRACKS else entry.kind)
        if len(self._damages) == before and path.stat().st_size != entry.size_bytes:
            self._damage(path, f"has {path.stat().st_size} bytes, not the {entry.size_bytes} its manifest tells")

    def _records(self, path: Path, entry: PartEntry) -> None:
        with reading(path) as file:
            table = Tracks.read(file)
            for row in range(0 if table.intact else len(table)):
                try:
                    with naming(path):
                        table.record(row)
                except DamagedError as error:
                    self._damage(path, why(error), track_id=table.track_id(row))
            read_rows(file)
            self._number(entry, len(table))
        self._count(records=len(table))

    def _rows(self, path: Path, entry: PartEntry) -> None:
        with reading(path) as file:
            described_by(file, entry.kind)
            read_contents(file, entry.kind)
            held = Rescued(file, entry.kind)
            self._number(entry, len(held.contents))
            found = len(self._damages)
            for at in _suspects(file, entry.kind):
                if held.rows(at) is None:
                    self._damage(path, "rows fail their CRC-32", content_hash=held.contents[at], family=entry.kind)
            whole = number_of_schema(file) < 2 or trailer.is_whole(path)
        if not whole and len(self._damages) == found:
            self._damage(path, "bytes that are no rows fail their CRC-32", family=entry.kind)
        self._count(contents=len(held.contents))

    def _number(self, entry: PartEntry, found: int) -> None:
        if found != entry.entries:
            self._damage(self._layout.parts / entry.name, f"holds {found} entries, not the {entry.entries} it should")

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
    """Yield the positions of the contents that cannot be read by the hundred, and may be damaged."""
    table = FamilyTable(file, key)
    contents = table.contents
    for run in table.runs(range(len(table))):
        try:
            table.rows_at(run, contents[run[0] : run[-1] + 1])
        except (DamagedError, OSError, ValueError, RuntimeError):
            yield from run


def described_by(file: h5py.File, key: str) -> FeatureSpec:
    """Return what a file says of one of its families. Raises `DamagedError` when that is not the family's spec."""
    told = file["features"][key].attrs["spec"]
    spec = msgspec.json.decode(bytes(told), type=FeatureSpec)
    if spec.key != key:
        raise DamagedError(f"it describes {spec.key} where {key} should be")
    return spec


def number_of_schema(file: h5py.File) -> int:
    """Return the schema a file was written in."""
    return int(file.attrs["schema"])


def why(error: StoreError) -> str:
    """Return an error without the file it names, which stands beside it."""
    return str(error).partition(": ")[2] or str(error)
