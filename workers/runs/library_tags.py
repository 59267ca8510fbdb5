"""The tags of a library's files for a scan: those that the home knows, and of the others by reading the files."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from types import TracebackType
from typing import Self

from pipeline.library.tags.tags import Tags
from pipeline.library.tracks import FileStamp, track_id
from storage.home import Home
from storage.ledger.tag_table import TagTable, select_fields
from workers.processes.tag_readers import TagReaders

PART_FILES = 20_000
"""How many files' tags are written at once: those in memory."""

_READ, _KNOWN = "tags", "tags-known"
"""The names of what a scan read, with all that the files say, and of what it had from records, with what it needs."""

File = tuple[str, FileStamp, Tags]


class LibraryTags:
    """The tags of the files that a run scans, as a `TagSource`; a context that ends the processes it started.

    What earlier scans wrote beside their runs (`tags-00000.npz` and so on, which may be deleted) is known at once. Then
    come the store's records; what they say is written so, too, as it takes ten times as long to find it there. What
    is in neither is read from the files.
    """

    def __init__(self, home: Home, run_id: str, fields: Sequence[str]) -> None:
        self.read_files = 0
        """How many files were read, as nothing was known of them."""
        self.cut_files = 0
        """Of how many files values were cut, or tags not read, as they were too long."""
        self._home = home
        self._run_id = run_id
        self._fields = tuple(fields)
        self._readers = TagReaders(fields)
        self._new: dict[str, list[File]] = {_READ: [], _KNOWN: []}
        self._parts = Counter[str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._readers.close()
        for name in self._new:
            self._write(name)

    def tags_of(self, files: Sequence[tuple[str, FileStamp]]) -> list[Tags | None]:
        """Return the tags of files; None for those that cannot be read."""
        track_ids = [track_id(path) for path, _ in files]
        found = self._of_scans.find(track_ids, [stamp for _, stamp in files])
        missing = [at for at, tags in enumerate(found) if tags is None]
        if missing:
            known = self._of_records.find([track_ids[at] for at in missing], [files[at][1] for at in missing])
            self._add(_KNOWN, found, files, track_ids, dict(zip(missing, known, strict=True)))
            missing = [at for at in missing if found[at] is None]
            read = self._readers.read([files[at][0] for at in missing])
            self._add(_READ, found, files, track_ids, dict(zip(missing, read, strict=True)))
            self.read_files += len(missing)
        self.cut_files += sum(bool(tags.cut and select_fields(tags, self._fields).cut) for tags in found if tags)
        return found

    def _add(
        self,
        name: str,
        found: list[Tags | None],
        files: Sequence[tuple[str, FileStamp]],
        track_ids: Sequence[str],
        new: dict[int, Tags | None],
    ) -> None:
        """Take what was found elsewhere of files, by their positions, and keep it for the scans to come."""
        for at, tags in new.items():
            found[at] = tags
            if tags is not None:
                self._new[name].append((track_ids[at], files[at][1], tags))
        if len(self._new[name]) >= PART_FILES:
            self._write(name)

    @cached_property
    def _of_scans(self) -> TagTable:
        tables = []
        for run_id in self._home.ledger.run_ids():
            for name in (_KNOWN, _READ):
                parts = 0
                while (data := self._home.ledger.read_cache(run_id, _part(name, parts))) is not None:
                    parts += 1
                    if (table := TagTable.of_bytes(data)) is not None:
                        tables.append(table)
        return TagTable.merge(tables, self._fields)

    @cached_property
    def _of_records(self) -> TagTable:
        if not self._home.has_store:
            return TagTable.of(())
        return TagTable.of(
            (record.track_id, record.stamp, select_fields(record.tags, self._fields))
            for record in self._home.store.snapshot().records()
            if record.tags is not None and not record.copy_of and record.tags.answers(self._fields)
        )

    def _write(self, name: str) -> None:
        """Write what was found since the last time, where there is something."""
        if not self._new[name]:
            return
        table = TagTable.of(self._new[name], self._fields if name == _KNOWN else ())
        self._home.ledger.write_cache(self._run_id, _part(name, self._parts[name]), table.to_bytes())
        self._parts[name] += 1
        self._new[name].clear()


def _part(name: str, number: int) -> str:
    return f"{name}-{number:05d}.npz"
