"""What the newest scans of a home say of its tracks: labels, groups and folds, which live in the runs.

Held as columns of codes, some 30 bytes a track, so that a million tracks join in little memory. The columns of a
finished scan never change, so they are kept in `runs/<run_id>/labels.npz` once they have been made: reading the
documents of 100,000 tracks takes a second. That file is only a copy, and may be deleted.
"""

import io
import json
import zipfile
from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np

from pipeline.arrays import Int32
from pipeline.library.tracks import ScannedTrack
from storage.filestore.format.codec import Ids, ids, pack, unpack
from storage.ledger.runs import RunLedger

_BLOCK = 10_000
"""How many tracks are held as objects at once."""

_KEPT = "labels.npz"


class LabelEntry(NamedTuple):
    """What its owner says of one track; None where nothing was said."""

    label: str | None = None
    group: str | None = None
    fold: str | None = None


class TrackLabels:
    """Labels, groups and folds by track id; a value that never changes."""

    def __init__(self, packed: Ids, codes: Int32, words: Iterable[Iterable[str | None]]) -> None:
        """Hold ids (n,), ascending, and for each the positions (n, 3) of its label, group and fold in `words`."""
        self._ids = packed
        self._codes = codes
        self._words = [np.array(list(known), dtype=object) for known in words]

    @classmethod
    def of_tracks(cls, tracks: Iterable[ScannedTrack]) -> Self:
        """Return what is said of tracks; of several entries of one track the first counts."""
        words: list[dict[str | None, int]] = [{None: 0} for _ in LabelEntry._fields]
        hex_ids: list[str] = []
        blocks: list[Ids] = []
        codes: list[Int32] = []
        pending: list[tuple[int, ...]] = []

        def pack_up() -> None:
            blocks.append(ids(hex_ids))
            codes.append(np.array(pending, dtype=np.int32).reshape(-1, len(words)))
            hex_ids.clear()
            pending.clear()

        for track in tracks:
            said = (track.label, track.group, track.fold)
            hex_ids.append(track.track_id)
            pending.append(tuple(known.setdefault(word, len(known)) for known, word in zip(words, said, strict=True)))
            if len(pending) == _BLOCK:
                pack_up()
        pack_up()
        found, first = np.unique(np.concatenate(blocks), return_index=True)
        return cls(found, np.concatenate(codes)[first], words)

    @classmethod
    def joined(cls, scans: list["TrackLabels"]) -> "TrackLabels":
        """Return what several scans say; of a track that several found the first of them counts."""
        if len(scans) == 1:
            return scans[0]
        words: list[dict[str | None, int]] = [{None: 0} for _ in LabelEntry._fields]
        codes = []
        for scan in scans:
            # The codes of one scan in the words of all.
            common = [
                np.array([known.setdefault(word, len(known)) for word in theirs], dtype=np.int32)
                for known, theirs in zip(words, scan._words, strict=True)
            ]
            codes.append(np.stack([to[scan._codes[:, at]] for at, to in enumerate(common)], axis=1))
        if not codes:
            return cls.of_tracks(())
        found, first = np.unique(np.concatenate([scan._ids for scan in scans]), return_index=True)
        return cls(found, np.concatenate(codes)[first], words)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def track_ids(self) -> list[str]:
        """The tracks, by id; `column` has their order."""
        return [unpack(packed) for packed in self._ids]

    def column(self, name: str) -> np.ndarray:
        """Return the `label`, `group` or `fold` of every track, (n,) of texts, None where nothing was said."""
        at = LabelEntry._fields.index(name)
        told: np.ndarray = self._words[at][self._codes[:, at]]
        return told

    def of(self, track_id: str) -> LabelEntry | None:
        """Return what was said of a track, or None when no scan found it."""
        wanted = np.array([pack(track_id)], dtype="S16")
        at = int(np.searchsorted(self._ids, wanted)[0])
        if at == len(self._ids) or self._ids[at] != wanted[0]:
            return None
        return LabelEntry(*(words[code] for words, code in zip(self._words, self._codes[at].tolist(), strict=True)))

    def to_bytes(self) -> bytes:
        """Return the columns in the format of NumPy's `savez`, which has checksums."""
        words = json.dumps([list(known) for known in self._words]).encode("ascii")
        with io.BytesIO() as held:
            np.savez(held, ids=self._ids, codes=self._codes, words=np.frombuffer(words, np.uint8))
            return held.getvalue()

    @classmethod
    def of_bytes(cls, data: bytes) -> Self | None:
        """Return what `to_bytes` gave, or None where it is not whole."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as held:
                return cls(held["ids"], held["codes"], json.loads(held["words"].tobytes()))
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def read_labels(ledger: RunLedger) -> TrackLabels:
    """Return what the newest finished scan of each set of libraries says of its tracks.

    A track that several of them found has what the newest says. Raises `StoreError` for documents that cannot be read.
    """
    looked_at: set[tuple[str, ...]] = set()
    scans = []
    for run_id in reversed(ledger.run_ids()):
        plan = ledger.plan(run_id)
        if plan.purpose != "library" or plan.libraries in looked_at or ledger.shard_count(run_id) is None:
            continue
        # A scan of some files only, as a watch makes of what came in, says nothing of the others: older ones do.
        if ledger.scanned_all(run_id):
            looked_at.add(plan.libraries)
        scans.append(_scan(ledger, run_id))
    return TrackLabels.joined(scans)


def _scan(ledger: RunLedger, run_id: str) -> TrackLabels:
    """Return what one finished scan says."""
    data = ledger.kept(run_id, _KEPT)
    held = TrackLabels.of_bytes(data) if data is not None else None
    if held is None:
        shards = ledger.shards(run_id)
        held = TrackLabels.of_tracks(track for shard in shards for track in ledger.shard(run_id, shard))
        ledger.keep(run_id, _KEPT, held.to_bytes())
    return held
