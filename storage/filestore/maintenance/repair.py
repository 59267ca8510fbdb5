"""Mending what a verification found damaged.

Repairing loses nothing that can still be read, and makes what cannot be read count as not extracted, so that the next
run makes it anew:

    segment          set aside; its track is extracted again
    part             what is intact goes into a new part, by the CRC of each record and content; the old one is set
                     aside when no manifest names it any more
    manifest         set aside, and made anew from the parts that are there
    family document  set aside, and made anew from what the files themselves say of their families

It may run beside everything else, as it publishes like a compactor, and may die at any moment and be run again.
"""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.features.spec import FeatureSpec
from pipeline.text import printable
from storage import durable
from storage.filestore.format.hdf5 import VanishedError, reading
from storage.filestore.format.records import Tracks, read_rows
from storage.filestore.index import TRACKS
from storage.filestore.layout import Layout, Manifest, PartEntry, SegmentName, family_set
from storage.filestore.maintenance.compaction import PART_ENTRIES, read_segment, set_aside
from storage.filestore.maintenance.rescue import Rescued, intact_records
from storage.filestore.maintenance.verify import Damage, OnFile, VerifyReport, described_by, verify, why
from storage.filestore.parts import PartsWriter

_ATTEMPTS = 5


def repair(root: Path, *, on_file: OnFile = lambda _: None) -> VerifyReport:
    """Verify, and mend what is damaged. Raises `StoreError` when files cannot be read or written."""
    report = verify(root, on_file=on_file)
    if not report.damages:
        return report
    repairs, beyond = _Repair(Layout(root), report.damages).run()
    return report.replace(repairs=tuple(repairs), beyond_repair=tuple(beyond))


class _Repair:
    """Mends what a verification found."""

    def __init__(self, layout: Layout, damages: tuple[Damage, ...]) -> None:
        self._layout = layout
        self._files = {damage.file for damage in damages}
        self._repairs: list[str] = []
        self._beyond: list[str] = []

    def run(self) -> tuple[list[str], list[str]]:
        """Return what was mended and what was not."""
        # Documents first: what reads segments and parts asks them.
        for digest in self._layout.family_sets():
            if f"families/{digest}.json" in self._files:
                set_aside(self._layout, self._layout.family_path(digest))
                self._repairs.append(f"families/{digest}.json: set aside")
        self._describe()
        for name in list(self._layout.segments()):
            file = f"inbox/{name.path}"
            if file in self._files and not self._sound(name):
                set_aside(self._layout, self._layout.inbox / name.path)
                self._repairs.append(f"{file}: set aside; track {name.track_id} will be extracted again")
        for _ in range(_ATTEMPTS):
            if self._parts():
                break
        else:
            self._beyond.append("manifest: others publish all the time; repair again when nothing else runs")
        return self._repairs, self._beyond

    def _sound(self, name: SegmentName) -> bool:
        """Return whether a segment can be read now that its families are described again."""
        try:
            with reading(self._layout.inbox / name.path) as file:
                read_rows(file)
            read_segment(self._layout, name, self._layout.families_in(name))
        except VanishedError:
            return True
        except StoreError:
            return False
        return True

    def _describe(self) -> None:
        """Describe again the families whose documents are gone, by what the files say of themselves."""
        known = {digest: self._layout.specs_in(digest) for digest in self._layout.family_sets()}
        for name in self._layout.segments():
            if name.family_set not in known:
                specs = _specs_of(self._layout.inbox / name.path)
                if family_set(spec.key for spec in specs) == name.family_set:
                    self._publish(known, specs)
        keys = {spec.key for specs in known.values() for spec in specs}
        for part in durable.names_in(self._layout.parts):
            for spec in _specs_of(self._layout.parts / part):
                if spec.key not in keys:
                    self._publish(known, (spec,))
                    keys.add(spec.key)

    def _publish(self, known: dict[str, tuple[FeatureSpec, ...]], specs: tuple[FeatureSpec, ...]) -> None:
        self._layout.publish_specs(specs)
        digest = family_set(spec.key for spec in specs)
        known[digest] = specs
        self._repairs.append(f"families/{digest}.json: made anew from what the files say of their families")

    def _parts(self) -> bool:
        """Publish a manifest without what is damaged; False when another one was published meanwhile."""
        generations = self._layout.generations()
        number = generations[-1] if generations else -1
        told: list[str] = []
        try:
            manifest = self._layout.find_manifest(number) if generations else None
        except StoreError:
            manifest = None
        entries = manifest.parts if manifest is not None else tuple(self._on_disk())
        if manifest is None:
            told.append(f"manifest: made anew from the {len(entries)} parts that are there")
        with ExitStack() as undo:
            writer = PartsWriter(self._layout, part_entries=PART_ENTRIES)
            undo.callback(writer.discard)
            kept, bad = [], []
            for entry in entries:
                if f"parts/{entry.name}" in self._files:
                    bad.append(entry)
                    told.append(self._rescue(entry, writer))
                else:
                    kept.append(entry)
            if bad or manifest is None:
                parts = (*kept, *writer.finish())
                # A publication that fails may have been made all the same: the parts then stay for the collection.
                unseen = undo.pop_all()
                if not self._layout.publish_manifest(number + 1, Manifest(parts=parts)):
                    unseen.close()
                    return False
        self._repairs += told
        for damaged in generations:
            path = self._layout.manifest_path(damaged)
            if f"manifest/{path.name}" in self._files:
                set_aside(self._layout, path)
                self._repairs.append(f"manifest/{path.name}: set aside")
        return True

    def _on_disk(self) -> Iterator[PartEntry]:
        """Yield what a manifest would say of the parts that are there.

        Parts that were merged into others are among them: what they hold twice does no harm.
        """
        for name in durable.names_in(self._layout.parts):
            path = self._layout.parts / name
            try:
                with reading(path) as file:
                    if TRACKS in file:
                        yield _entry(path, TRACKS, len(Tracks.read(file)))
                    for key in file.get("features", ()):
                        yield _entry(path, key, len(Rescued(file, key).contents))
            except StoreError as error:
                self._beyond.append(f"parts/{printable(name)}: {why(error)}")

    def _rescue(self, entry: PartEntry, writer: PartsWriter) -> str:
        """Copy what is intact in a part and return a line about it."""
        path = self._layout.parts / entry.name
        saved = 0
        # Whatever stops it, what was copied by then is saved.
        with suppress(StoreError), reading(path) as file:
            if entry.kind == TRACKS:
                for table in intact_records(file):
                    writer.add_records(table)
                    saved += len(table)
            else:
                spec = self._layout.spec(entry.kind)
                held = Rescued(file, entry.kind)
                for at, content_hash in enumerate(held.contents):
                    if (rows := held.rows(at)) is not None:
                        writer.add_rows(spec, content_hash, rows)
                        saved += 1
        what = "records" if entry.kind == TRACKS else "contents"
        lost = max(0, entry.entries - saved)
        return f"parts/{entry.name}: {saved} {what} saved into a new part, {lost} lost and to be extracted again"


def _specs_of(path: Path) -> tuple[FeatureSpec, ...]:
    """Return what a segment or part says of its families; nothing when it cannot be read."""
    try:
        with reading(path) as file:
            return tuple(described_by(file, key) for key in (file.get("features", ())))
    except StoreError:
        return ()


def _entry(path: Path, kind: str, entries: int) -> PartEntry:
    return PartEntry(name=path.name, kind=kind, entries=entries, size_bytes=path.stat().st_size)
