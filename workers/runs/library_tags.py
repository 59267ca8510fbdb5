"""The tags of a library's files for a scan: those that the home knows, and of the others by reading the files."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from pipeline.library.tags.tags import Tags
from pipeline.library.tracks import FileStamp, track_id
from storage.home import Home
from storage.ledger.tag_table import TagTable, select_fields
from workers.processes.tag_readers import TagReaders

PART_FILES = 20_000
"""How many files' tags are written at once: those in memory."""


class LibraryTags:
    """The tags of the files that a run scans, as a `TagSource`; a context that ends the processes it started.

    Tags are known from the store's records and from what earlier scans read. What this one reads, it writes beside
    its run: `tags-00000.npz` and so on, which may be deleted.
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
        self._loaded: list[TagTable] = []
        self._unloaded = self._tables()
        self._new: list[tuple[str, FileStamp, Tags]] = []
        self._parts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._readers.close()
        self._write()

    def tags_of(self, files: Sequence[tuple[str, FileStamp]]) -> list[Tags | None]:
        """Return the tags of files; None for those that cannot be read."""
        track_ids = [track_id(path) for path, _ in files]
        found: list[Tags | None] = [None] * len(files)
        missing = list(range(len(files)))
        for table in self._known():
            if not missing:
                break
            known = table.find([track_ids[at] for at in missing], [files[at][1] for at in missing])
            for at, tags in zip(missing, known, strict=True):
                found[at] = tags
            missing = [at for at in missing if found[at] is None]
        read = self._readers.read([files[at][0] for at in missing])
        for at, tags in zip(missing, read, strict=True):
            found[at] = tags
            if tags is not None:
                self._new.append((track_ids[at], files[at][1], tags))
        self.read_files += len(missing)
        self.cut_files += sum(bool(tags.cut and select_fields(tags, self._fields).cut) for tags in found if tags)
        if len(self._new) >= PART_FILES:
            self._write()
        return found

    def _known(self) -> Iterator[TagTable]:
        """Yield the tables of what is known, each read when it is first needed."""
        yield from list(self._loaded)
        for table in self._unloaded:
            self._loaded.append(table)
            yield table

    def _tables(self) -> Iterator[TagTable]:
        home = self._home
        if home.has_store:
            yield TagTable.of(
                (record.track_id, record.stamp, select_fields(record.tags, self._fields))
                for record in home.store.snapshot().records()
                if record.tags is not None and not record.copy_of and record.tags.answers(self._fields)
            )
        for run_id in reversed(home.ledger.run_ids()):
            parts = 0
            while run_id != self._run_id and (data := home.ledger.read_cache(run_id, _part(parts))) is not None:
                parts += 1
                table = TagTable.of_bytes(data)
                if table is not None:
                    yield table.narrowed(self._fields)

    def _write(self) -> None:
        if self._new:
            self._home.ledger.write_cache(self._run_id, _part(self._parts), TagTable.of(self._new).to_bytes())
            self._parts += 1
            self._new.clear()


def _part(number: int) -> str:
    return f"tags-{number:05d}.npz"
