"""Repairing the damages that a verification found.

Nothing that can still be read is lost, and what cannot be read counts as not extracted, so that the next run extracts
it again:

    segment          set aside; its track is extracted again
    part             what is intact, by the CRC-32 of each record and content, is copied to a new part; the old one is
                     left to the collection
    manifest         set aside, and made anew from the parts on disk
    family document  set aside, and made anew from the specs in segments and parts

It may run beside everything else, as it publishes like a compactor, and may die at any moment and be run again.
"""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.features.spec import FeatureSpec
from pipeline.text import printable
from storage import durable
from storage.filestore.format.hdf5 import VanishedError, open_file
from storage.filestore.format.records import RecordTable, read_rows
from storage.filestore.index import TRACKS
from storage.filestore.layout import Layout, Manifest, PartEntry, SegmentName, family_set
from storage.filestore.maintenance.compaction import PART_ENTRIES, set_aside
from storage.filestore.maintenance.rescue import RescueTable, intact_records
from storage.filestore.maintenance.verify import Damage, OnFile, VerifyReport, read_spec, reason_of, verify
from storage.filestore.parts import PartsWriter
from storage.filestore.segments import read_segment

_ATTEMPTS = 5


def repair(root: Path, *, on_file: OnFile = lambda _: None) -> VerifyReport:
    """Verify, and repair what is damaged. Raises `StoreError` when files cannot be read or written."""
    report = verify(root, on_file=on_file)
    if not report.damages:
        return report
    repairs, beyond = _Repair(Layout(root), report.damages).run()
    return report.replace(repairs=tuple(repairs), beyond_repair=tuple(beyond))


class _Repair:
    """One repair of the damages that a verification found."""

    def __init__(self, layout: Layout, damages: tuple[Damage, ...]) -> None:
        self._layout = layout
        self._files = {damage.file for damage in damages}
        self._repairs: list[str] = []
        self._beyond: list[str] = []

    def run(self) -> tuple[list[str], list[str]]:
        """Repair; return a line for each repair, and one for each damage that could not be repaired."""
        # Documents first, as they are needed to read segments and parts.
        for digest in self._layout.family_sets():
            if f"families/{digest}.json" in self._files:
                set_aside(self._layout, self._layout.family_path(digest))
                self._repairs.append(f"families/{digest}.json: set aside")
        self._restore_family_documents()
        for name in list(self._layout.segments()):
            file = f"inbox/{name.path}"
            if file in self._files and not self._is_readable(name):
                set_aside(self._layout, self._layout.inbox / name.path)
                self._repairs.append(f"{file}: set aside; track {name.track_id} will be extracted again")
        for _ in range(_ATTEMPTS):
            if self._parts():
                break
        else:
            self._beyond.append("manifest: others publish all the time; repair again when nothing else runs")
        return self._repairs, self._beyond

    def _is_readable(self, name: SegmentName) -> bool:
        """Return whether a segment can be read now that the documents of families are restored."""
        try:
            with open_file(self._layout.inbox / name.path) as file:
                read_rows(file)
            read_segment(self._layout, name, self._layout.families_in(name))
        except VanishedError:
            return True
        except StoreError:
            return False
        return True

    def _restore_family_documents(self) -> None:
        """Write missing documents of families anew from the specs in segments and parts."""
        sets = {digest: self._layout.specs_in(digest) for digest in self._layout.family_sets()}
        for name in self._layout.segments():
            if name.family_set not in sets:
                specs = _specs_of(self._layout.inbox / name.path)
                if family_set(spec.key for spec in specs) == name.family_set:
                    self._publish(sets, specs)
        keys = {spec.key for specs in sets.values() for spec in specs}
        for part in durable.names_in(self._layout.parts):
            for spec in _specs_of(self._layout.parts / part):
                if spec.key not in keys:
                    self._publish(sets, (spec,))
                    keys.add(spec.key)

    def _publish(self, sets: dict[str, tuple[FeatureSpec, ...]], specs: tuple[FeatureSpec, ...]) -> None:
        self._layout.publish_specs(specs)
        digest = family_set(spec.key for spec in specs)
        sets[digest] = specs
        self._repairs.append(f"families/{digest}.json: made anew from what the files say of their families")

    def _parts(self) -> bool:
        """Publish a manifest without the damaged parts; False when another one was published meanwhile."""
        generations = self._layout.generations()
        number = generations[-1] if generations else -1
        repairs: list[str] = []
        try:
            manifest = self._layout.find_manifest(number) if generations else None
        except StoreError:
            manifest = None
        entries = manifest.parts if manifest is not None else tuple(self._entries_on_disk())
        if manifest is None:
            repairs.append(f"manifest: made anew from the {len(entries)} parts that are there")
        with ExitStack() as undo:
            writer = PartsWriter(self._layout, part_entries=PART_ENTRIES)
            undo.callback(writer.discard)
            kept, damaged = [], []
            for entry in entries:
                if f"parts/{entry.name}" in self._files:
                    damaged.append(entry)
                    repairs.append(self._rescue(entry, writer))
                else:
                    kept.append(entry)
            if damaged or manifest is None:
                parts = (*kept, *writer.finish())
                # A publication that reports an error may have succeeded: the parts then stay for the collection.
                unpublished = undo.pop_all()
                if not self._layout.publish_manifest(number + 1, Manifest(parts=parts)):
                    unpublished.close()
                    return False
        self._repairs += repairs
        for generation in generations:
            path = self._layout.manifest_path(generation)
            if f"manifest/{path.name}" in self._files:
                set_aside(self._layout, path)
                self._repairs.append(f"manifest/{path.name}: set aside")
        return True

    def _entries_on_disk(self) -> Iterator[PartEntry]:
        """Yield the manifest entries of all parts on disk, those that were merged into others included.

        A record or content that two parts have is the same in both.
        """
        for name in durable.names_in(self._layout.parts):
            path = self._layout.parts / name
            try:
                with open_file(path) as file:
                    if TRACKS in file:
                        yield _entry(path, TRACKS, len(RecordTable.read(file)))
                    for key in file.get("features", ()):
                        yield _entry(path, key, len(RescueTable(file, key).contents))
            except StoreError as error:
                self._beyond.append(f"parts/{printable(name)}: {reason_of(error)}")

    def _rescue(self, entry: PartEntry, writer: PartsWriter) -> str:
        """Copy what is intact in a part to a writer; return the line that reports it."""
        path = self._layout.parts / entry.name
        saved = 0
        # Whatever ends it, what was copied by then is saved.
        with suppress(StoreError), open_file(path) as file:
            if entry.kind == TRACKS:
                for table in intact_records(file):
                    writer.add_records(table)
                    saved += len(table)
            else:
                spec = self._layout.spec(entry.kind)
                rescue = RescueTable(file, entry.kind)
                for at, content_hash in enumerate(rescue.contents):
                    if (rows := rescue.rows(at)) is not None:
                        writer.add_rows(spec, content_hash, rows)
                        saved += 1
        what = "records" if entry.kind == TRACKS else "contents"
        lost = max(0, entry.entries - saved)
        return f"parts/{entry.name}: {saved} {what} saved into a new part, {lost} lost and to be extracted again"


def _specs_of(path: Path) -> tuple[FeatureSpec, ...]:
    """Return the specs in a segment or part; none when it cannot be read."""
    try:
        with open_file(path) as file:
            return tuple(read_spec(file, key) for key in (file.get("features", ())))
    except StoreError:
        return ()


def _entry(path: Path, kind: str, entries: int) -> PartEntry:
    return PartEntry(name=path.name, kind=kind, entries=entries, size_bytes=path.stat().st_size)
