"""What the newest scans of a home say of its tracks: labels, groups and folds, which live in the runs.

Held as columns of codes, some 30 bytes a track, so that a million tracks join in little memory.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.arrays import Int32
from pipeline.tracks import ScannedTrack
from storage.filestore.schema import Ids, ids, pack
from storage.runs import RunLedger


class Said(NamedTuple):
    """What its owner says of one track; None where nothing was said."""

    label: str | None = None
    group: str | None = None
    fold: str | None = None


class TrackLabels:
    """Labels, groups and folds by track id; a value that never changes."""

    def __init__(self, tracks: Iterator[ScannedTrack]) -> None:
        words: list[dict[str | None, int]] = [{None: 0}, {None: 0}, {None: 0}]
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
        # Of several scans that found a track the newest, which comes first, counts.
        self._ids, first = np.unique(np.concatenate(blocks), return_index=True)
        self._codes: Int32 = np.concatenate(codes)[first]
        self._words = [list(known) for known in words]

    def __len__(self) -> int:
        return len(self._ids)

    def of(self, track_id: str) -> Said | None:
        """Return what was said of a track, or None when no scan found it."""
        wanted = np.array([pack(track_id)], dtype="S16")
        at = int(np.searchsorted(self._ids, wanted)[0])
        if at == len(self._ids) or self._ids[at] != wanted[0]:
            return None
        return Said(*(words[code] for words, code in zip(self._words, self._codes[at].tolist(), strict=True)))


_BLOCK = 10_000
"""How many tracks are held as objects at once."""


def read_labels(ledger: RunLedger) -> TrackLabels:
    """Return what the newest finished scan of each set of libraries says of its tracks.

    A track that several of them found has what the newest says. Raises `StoreError` for documents that cannot be read.
    """
    return TrackLabels(_scanned(ledger))


def _scanned(ledger: RunLedger) -> Iterator[ScannedTrack]:
    """Yield the tracks of the scans that count, the newest first.

    A scan of some files only, as a watch makes of what came in, says nothing of the others: older ones do.
    """
    looked_at: set[tuple[str, ...]] = set()
    for run_id in reversed(ledger.run_ids()):
        plan = ledger.plan(run_id)
        if plan.purpose != "library" or plan.libraries in looked_at or ledger.shard_count(run_id) is None:
            continue
        if ledger.scanned_all(run_id):
            looked_at.add(plan.libraries)
        for shard in ledger.shards(run_id):
            yield from ledger.shard(run_id, shard)
