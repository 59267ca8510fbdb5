"""The tags of many files as columns, by track id and stamp: so that a scan of 100,000 unchanged files opens none.

Held as ids, stamps and codes, some 52 bytes for each file, and each set of values once.
"""

import io
import zipfile
from collections.abc import Iterable, Sequence
from typing import Self

import msgspec
import numpy as np

from pipeline.arrays import Int32
from pipeline.library.tags.tags import FIELDS, Tags, field_of
from pipeline.library.tracks import FileStamp
from storage.ids import Ids, ids, positions

Stamps = np.ndarray[tuple[int, int], np.dtype[np.uint64]]
"""The fields of stamps, (n, fields), dtype uint64; a time before 1970 is its 64 bits."""

_DECIDING = ("size_bytes", "mtime_ns")
"""The fields of a stamp that are always known."""

_BLOCK = 4096
_BITS = (1 << 64) - 1


class TagTable:
    """The tags of n files; never changes."""

    def __init__(
        self, track_ids: Ids, stamps: Stamps, codes: Int32, words: Sequence[bytes], fields: Sequence[str] = ()
    ) -> None:
        """Hold ids (n,), ascending, the stamp of each, and the position of its tags, as JSON, in `words`.

        `fields` are those alone that the tags have; empty when they have whatever their reader looked for.
        """
        self.fields = tuple(map(field_of, fields))
        self._ids = track_ids
        self._stamps = stamps
        self._codes = codes
        self._words = words
        self._tags: dict[int, Tags] = {}

    def __len__(self) -> int:
        return len(self._ids)

    @classmethod
    def of(cls, files: Iterable[tuple[str, FileStamp, Tags]], fields: Sequence[str] = ()) -> Self:
        """Return the table of files, given by track id, stamp and tags; of several of one id the last counts."""
        words: dict[bytes, int] = {}
        hex_ids: list[str] = []
        id_blocks, stamp_blocks, codes = [ids(())], [_stamps(())], [np.zeros(0, np.int32)]
        stamps: list[FileStamp] = []
        numbers: list[int] = []

        def pack_block() -> None:
            id_blocks.append(ids(hex_ids))
            stamp_blocks.append(_stamps(stamps))
            codes.append(np.array(numbers, np.int32))
            for each in (hex_ids, stamps, numbers):
                each.clear()

        encode = msgspec.json.Encoder().encode
        for track_id, stamp, tags in files:
            hex_ids.append(track_id)
            stamps.append(stamp)
            numbers.append(words.setdefault(encode(tags), len(words)))
            if len(numbers) == _BLOCK:
                pack_block()
        pack_block()
        return cls._sorted(id_blocks, stamp_blocks, codes, list(words), fields)

    @classmethod
    def merge(cls, tables: Sequence[Self], fields: Sequence[str]) -> Self:
        """Return one table, with some fields alone, of several; of a file that several know the last one counts."""
        words: dict[bytes, int] = {}
        id_blocks, stamp_blocks, codes = [ids(())], [_stamps(())], [np.zeros(0, np.int32)]
        for table in tables:
            new = table._codes_of(fields, words)
            kept = new >= 0
            id_blocks.append(table._ids[kept])
            stamp_blocks.append(table._stamps[kept])
            codes.append(new[kept])
        return cls._sorted(id_blocks, stamp_blocks, codes, list(words), fields)

    @classmethod
    def _sorted(
        cls,
        ids_: Sequence[Ids],
        stamps: Sequence[Stamps],
        codes: Sequence[Int32],
        words: Sequence[bytes],
        fields: Sequence[str],
    ) -> Self:
        packed = np.concatenate(ids_)
        order = np.argsort(packed, kind="stable")
        last = np.append(packed[order][1:] != packed[order][:-1], np.True_)[: len(order)]
        kept = order[last]
        return cls(packed[kept], np.concatenate(stamps)[kept], np.concatenate(codes)[kept], words, fields)

    def find(self, track_ids: Sequence[str], stamps: Sequence[FileStamp]) -> list[Tags | None]:
        """Return the tags of files that are unchanged; None for others."""
        at = positions(self._ids, ids(track_ids))
        if not len(self._ids):
            return [None] * len(at)
        known = (at >= 0) & _unchanged(self._stamps[at], _stamps(stamps))
        codes = self._codes[at].tolist()
        return [self._decoded(code) if found else None for code, found in zip(codes, known.tolist(), strict=True)]

    def _codes_of(self, fields: Sequence[str], words: dict[bytes, int]) -> Int32:
        """Return the codes (n,) of some fields alone in common `words`; -1 for files of which they are not known."""
        if self.fields and not set(map(field_of, fields)) <= set(self.fields):
            return np.full(len(self._codes), -1, np.int32)
        codes = []
        for word in self._words:
            tags = msgspec.json.decode(word, type=Tags) if word else Tags()
            some = msgspec.json.encode(select_fields(tags, fields))
            codes.append(words.setdefault(some, len(words)) if tags.answers(fields) else -1)
        new: Int32 = np.array(codes, np.int32)[self._codes]
        return new

    def _decoded(self, code: int) -> Tags:
        tags = self._tags.get(code)
        if tags is None:
            tags = self._tags[code] = msgspec.json.decode(self._words[code], type=Tags)
        return tags

    def to_bytes(self) -> bytes:
        """Return the columns in the format of NumPy's `savez`, which has checksums."""
        with io.BytesIO() as buffer:
            np.savez(
                buffer,
                ids=self._ids,
                stamps=self._stamps,
                fields=np.array(FileStamp.__struct_fields__),
                codes=self._codes,
                words=np.frombuffer(b"\n".join(self._words), np.uint8),
                selected=np.frombuffer("\n".join(self.fields).encode(), np.uint8),
            )
            return buffer.getvalue()

    @classmethod
    def of_bytes(cls, data: bytes) -> Self | None:
        """Return the table that `to_bytes` encoded; None for one that is damaged, or has other stamps."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                if tuple(arrays["fields"].tolist()) != FileStamp.__struct_fields__:
                    return None
                words = arrays["words"].tobytes().split(b"\n")
                selected = arrays["selected"].tobytes().decode().split()
                return cls(arrays["ids"], arrays["stamps"], arrays["codes"], words, selected)
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def select_fields(tags: Tags, fields: Sequence[str]) -> Tags:
    """Return tags with some fields alone."""
    names = dict.fromkeys(map(field_of, fields))
    return Tags(
        **{name: getattr(tags, name) for name in names if name in FIELDS},
        extra={name: tags.extra[name] for name in names if name in tags.extra},
        cut=tuple(name for name in tags.cut if name in names or name not in {*FIELDS, *tags.extra}),
        reader=tags.reader,
    )


def _stamps(stamps: Sequence[FileStamp]) -> Stamps:
    names = FileStamp.__struct_fields__
    values = [getattr(stamp, name) & _BITS for stamp in stamps for name in names]
    return np.array(values, np.uint64).reshape(-1, len(names))


def _unchanged(mine: Stamps, theirs: Stamps) -> np.ndarray:
    """Return of each of some files whether it is unchanged: a field that either does not know, 0, decides nothing."""
    same = mine == theirs
    for at, name in enumerate(FileStamp.__struct_fields__):
        if name not in _DECIDING:
            same[:, at] |= (mine[:, at] == 0) | (theirs[:, at] == 0)
    unchanged: np.ndarray = same.all(axis=1)
    return unchanged
