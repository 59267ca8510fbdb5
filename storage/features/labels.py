"""The labels, groups and folds of a home's tracks, from its newest scans.

Held as columns of codes, some 30 bytes per track, so that those of millions fit in memory. The columns of a finished
scan never change, so they are cached in `runs/<run_id>/labels.npz`: reading the documents of 100,000 tracks takes a
second. The cache may be deleted.
"""

import io
import json
import zipfile
from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np

from pipeline.arrays import Int32
from pipeline.library.tracks import ScannedTrack
from storage.ids import Ids, ids, pack, unpack
from storage.ledger.runs import RunLedger

_BLOCK = 10_000
"""How many tracks are in memory as objects at once."""

_CACHE = "labels.npz"


class LabelEntry(NamedTuple):
    """The label, group and fold of one track; None for those that it does not have."""

    label: str | None = None
    group: str | None = None
    fold: str | None = None


class TrackLabels:
    """The labels, groups and folds of n tracks, by track id; never changes."""

    def __init__(self, packed: Ids, codes: Int32, words: Iterable[Iterable[str | None]]) -> None:
        """Hold ids (n,), ascending, and for each the positions (n, 3) of its label, group and fold in `words`."""
        self._ids = packed
        self._codes = codes
        self._words = [np.array(list(column), dtype=object) for column in words]

    @classmethod
    def of_tracks(cls, tracks: Iterable[ScannedTrack]) -> Self:
        """Return the labels of scanned tracks; of several entries of one track the first counts."""
        words: list[dict[str | None, int]] = [{None: 0} for _ in LabelEntry._fields]
        hex_ids: list[str] = []
        blocks: list[Ids] = []
        codes: list[Int32] = []
        pending: list[tuple[int, ...]] = []

        def pack_block() -> None:
            blocks.append(ids(hex_ids))
            codes.append(np.array(pending, dtype=np.int32).reshape(-1, len(words)))
            hex_ids.clear()
            pending.clear()

        for track in tracks:
            values = (track.label, track.group, track.fold)
            hex_ids.append(track.track_id)
            pending.append(tuple(code.setdefault(word, len(code)) for code, word in zip(words, values, strict=True)))
            if len(pending) == _BLOCK:
                pack_block()
        pack_block()
        unique, first = np.unique(np.concatenate(blocks), return_index=True)
        return cls(unique, np.concatenate(codes)[first], words)

    @classmethod
    def merge(cls, scans: list["TrackLabels"]) -> "TrackLabels":
        """Return the labels of several scans; of a track in several of them the first counts."""
        if len(scans) == 1:
            return scans[0]
        words: list[dict[str | None, int]] = [{None: 0} for _ in LabelEntry._fields]
        codes = []
        for scan in scans:
            # For each of the scan's words, its code among the words of all scans.
            new_codes = [
                np.array([merged.setdefault(word, len(merged)) for word in own], dtype=np.int32)
                for merged, own in zip(words, scan._words, strict=True)
            ]
            codes.append(np.stack([new[scan._codes[:, at]] for at, new in enumerate(new_codes)], axis=1))
        if not codes:
            return cls.of_tracks(())
        unique, first = np.unique(np.concatenate([scan._ids for scan in scans]), return_index=True)
        return cls(unique, np.concatenate(codes)[first], words)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def track_ids(self) -> list[str]:
        """The ids of the tracks, ascending: the order of `column`."""
        return [unpack(packed) for packed in self._ids]

    def column(self, name: str) -> np.ndarray:
        """Return the `label`, `group` or `fold` of every track, (n,) of texts, None where a track has none."""
        at = LabelEntry._fields.index(name)
        values: np.ndarray = self._words[at][self._codes[:, at]]
        return values

    def of(self, track_id: str) -> LabelEntry | None:
        """Return the label, group and fold of a track, or None when no scan found it."""
        packed = np.array([pack(track_id)], dtype="S16")
        at = int(np.searchsorted(self._ids, packed)[0])
        if at == len(self._ids) or self._ids[at] != packed[0]:
            return None
        return LabelEntry(*(words[code] for words, code in zip(self._words, self._codes[at].tolist(), strict=True)))

    def to_bytes(self) -> bytes:
        """Return the columns in the format of NumPy's `savez`, which has checksums."""
        words = json.dumps([list(column) for column in self._words]).encode("ascii")
        with io.BytesIO() as buffer:
            np.savez(buffer, ids=self._ids, codes=self._codes, words=np.frombuffer(words, np.uint8))
            return buffer.getvalue()

    @classmethod
    def of_bytes(cls, data: bytes) -> Self | None:
        """Return the labels that `to_bytes` encoded, or None when the data is damaged."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return cls(arrays["ids"], arrays["codes"], json.loads(arrays["words"].tobytes()))
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def read_labels(ledger: RunLedger) -> TrackLabels:
    """Return the labels of the newest finished scan of each set of libraries.

    Of a track that several of them found the newest counts. Raises `StoreError` for documents that cannot be read.
    """
    covered: set[tuple[str, ...]] = set()
    scans = []
    for run_id in reversed(ledger.run_ids()):
        plan = ledger.plan(run_id)
        if plan.purpose != "library" or plan.libraries in covered or ledger.shard_count(run_id) is None:
            continue
        # A watch scans new files only: the labels of the others are in older scans.
        if ledger.scan_is_complete(run_id):
            covered.add(plan.libraries)
        scans.append(_scan(ledger, run_id))
    return TrackLabels.merge(scans)


def _scan(ledger: RunLedger, run_id: str) -> TrackLabels:
    """Return the labels of one finished scan."""
    data = ledger.read_cache(run_id, _CACHE)
    labels = TrackLabels.of_bytes(data) if data is not None else None
    if labels is None:
        shards = ledger.shards(run_id)
        labels = TrackLabels.of_tracks(track for shard in shards for track in ledger.shard(run_id, shard))
        ledger.write_cache(run_id, _CACHE, labels.to_bytes())
    return labels
