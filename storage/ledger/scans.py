"""The scan of a run in its ledger: the tracks of its shards, how it ended, and which shards are sealed."""

from collections.abc import Sequence

from pipeline.library.folders.left_out import NOTHING, LeftOut
from pipeline.library.tracks import ScannedTrack
from pipeline.plans.run import ShardSummary
from pipeline.wire import Value
from storage.ledger.document_ledger import DocumentLedger

LISTED = 200
"""Of how many paths that a scan could not read the ledger keeps the reasons."""


class Shard(Value, frozen=True, kw_only=True):
    """The content of a document in `shards/`."""

    tracks: tuple[ScannedTrack, ...]


class ScanEnd(Value, frozen=True, kw_only=True):
    """The content of `scan.json`."""

    shards: int
    left_out: int = 0
    """How many paths could not be read, or were not meant to be."""
    notes: tuple[str, ...] = ()
    """What is odd in the library and the tables of its labels, in words, a line each."""
    unreadable: tuple[str, ...] = ()
    """The first `LISTED` of those that could not be read, with the reason."""
    omitted: LeftOut = NOTHING
    """What the scan left out by its name, its content or a pattern."""
    mounts: tuple[str, ...] | None = None
    """Folders in the run's libraries at which other file systems were mounted, or had been before; None where nobody
    walked the libraries."""


class ScanLedger(DocumentLedger):
    """The scans of the runs of one home; returns and raises as `RunLedger` does."""

    def write_shard(self, run_id: str, shard: int, tracks: Sequence[ScannedTrack]) -> bool:
        """Write the tracks of a shard."""
        return self._documents.publish(f"{run_id}/shards/{shard:05d}", Shard(tracks=tuple(tracks)))

    def shard(self, run_id: str, shard: int) -> tuple[ScannedTrack, ...]:
        """Return the tracks of a shard. Raises `StoreError` when it was not written."""
        return self._documents.read(f"{run_id}/shards/{shard:05d}", Shard).tracks

    def shards(self, run_id: str) -> list[int]:
        """Return the numbers of the shards written so far, ascending."""
        return self._numbers(f"{run_id}/shards")

    def close_scan(
        self,
        run_id: str,
        shards: int,
        *,
        left_out: int = 0,
        unreadable: Sequence[str] = (),
        omitted: LeftOut = NOTHING,
        mounts: Sequence[str] | None = None,
        notes: tuple[str, ...] = (),
    ) -> bool:
        """Write that the scan has ended: how many shards there are, how many paths it left out and why, what is odd."""
        end = ScanEnd(
            shards=shards,
            left_out=left_out,
            unreadable=tuple(unreadable[:LISTED]),
            omitted=omitted,
            mounts=tuple(mounts) if mounts is not None else None,
            notes=notes,
        )
        return self._documents.publish(f"{run_id}/scan", end)

    def scan_end(self, run_id: str) -> ScanEnd | None:
        """Return how the scan of a run ended; None while it goes on."""
        return self._documents.find(f"{run_id}/scan", ScanEnd)

    def scan_is_complete(self, run_id: str) -> bool:
        """Return whether the scan has ended and left nothing in the run's libraries out."""
        scan = self._documents.find(f"{run_id}/scan", ScanEnd)
        return scan is not None and not scan.left_out

    def shard_count(self, run_id: str) -> int | None:
        """Return how many shards the run has, or None while the scan goes on."""
        scan = self._documents.find(f"{run_id}/scan", ScanEnd)
        return scan.shards if scan is not None else None

    def seal(self, run_id: str, summary: ShardSummary) -> bool:
        """Seal a shard: write the summary of its files once all are settled; the first summary stays."""
        return self._documents.publish(f"{run_id}/sealed/{summary.shard:05d}", summary)

    def summaries(self, run_id: str) -> dict[int, ShardSummary]:
        """Return the summary of each sealed shard, by number."""
        return {shard: self.summary(run_id, shard) for shard in self.sealed_shards(run_id)}

    def summary(self, run_id: str, shard: int) -> ShardSummary:
        """Return the summary of a sealed shard. Raises `StoreError` when it was not written."""
        return self._documents.read(f"{run_id}/sealed/{shard:05d}", ShardSummary)

    def sealed_shards(self, run_id: str) -> list[int]:
        """Return the numbers of the sealed shards, ascending, without reading their summaries."""
        return self._numbers(f"{run_id}/sealed")
