"""The workers of the `scale` tables: chordal's own, but for the functions that would decode, and that would learn.

    python -m tests.bench.scale_rows nothing|queue|store|learn HOME

What sealing takes, and how often learning began, they count in the broker's hash `bench`.
"""

import os
import sys
import time
from pathlib import Path

TOLD = "bench"
ENOUGH = "the benchmark learns nothing"
AUDIO_S = 240.0


def without_work(order, _context):
    """Take the place of `extract.extract_one`: a receipt, and nothing else."""
    from pipeline.library.tracks import Receipt

    return Receipt(track_id=order.track_id, path=order.path, outcome="extracted", audio_s=AUDIO_S)


def without_store(job, _known, _attempt):
    """Take the place of `extract._extract`: the record of a file that was extracted, and no commit."""
    from pipeline.extraction.records import record_for

    return record_for(job.order).replace(content_hash="0" * 32, duration_s=AUDIO_S)


def without_decoding(order, *, missing, content_hash, **_):
    """Take the place of extraction: one row of zeros for each family, and what belongs to it."""
    import numpy as np

    from pipeline.extraction.records import record_for
    from pipeline.features.registry import family
    from pipeline.features.spec import FeatureRows

    record = record_for(order).replace(content_hash=content_hash, duration_s=AUDIO_S, sample_rate_hz=44_100, channels=2)
    rows = {
        spec.key: FeatureRows(
            values=np.zeros((1, *spec.row_shape), np.float32),
            start_s=np.zeros(1, np.float32),
            channel=np.full(1, -1, np.int8),
        )
        for spec in (family(name).spec for name in missing)
    }
    return record, rows


def sealed_unseen(context, run_id, shard):
    """Take the place of `seal.seal` where nothing is stored: believe the chord."""
    from pipeline.plans.run import ShardSummary

    summary = ShardSummary(shard=shard, extracted=len(context.ledger.shard(run_id, shard)))
    context.ledger.seal(run_id, summary)
    return summary


def timed(seal):
    """Return a function that seals, and tells what it took."""

    def sealing(context, run_id, shard):
        wall_at, cpu_at = time.perf_counter(), time.process_time()
        try:
            return seal(context, run_id, shard)
        finally:
            client = context.settings.broker.client()
            client.hincrbyfloat(TOLD, "seal_wall_s", time.perf_counter() - wall_at)
            client.hincrbyfloat(TOLD, "seal_cpu_s", time.process_time() - cpu_at)
            client.hincrby(TOLD, "seals", 1)
            client.close()

    return sealing


def refused(context, _run_id):
    """Take the place of `workers.learning.study.create_study`: count, and end the run."""
    from pipeline.errors import UsageError

    context.settings.broker.client().hincrby(TOLD, "learned", 1)
    raise UsageError(ENOUGH)


def looking(library):
    """Look at every file below a folder, as a scan has to."""

    def work():
        for folder, _, names in os.walk(library):
            for name in names:
                os.stat(f"{folder}/{name}")  # noqa: PTH116 - as the scan does

    return work


def main(mode: str, home: Path) -> None:
    """Be a worker."""
    from workers.broker.address import BrokerAddress
    from workers.extraction import extract
    from workers.extraction import seal as sealing
    from workers.learning import study
    from workers.worker import start

    sealing.seal = timed(sealing.seal if mode == "store" else sealed_unseen)
    if mode == "nothing":
        extract.extract_one = without_work
    elif mode == "queue":
        extract._extract = without_store
    elif mode == "store":
        extract.extract = without_decoding
    study.create_study = refused
    start.serve(
        home=home,
        broker=BrokerAddress.parse(os.environ["CHORDAL_BROKER"]),
        queues=("tune", "train") if mode == "learn" else ("extract", "store"),
        concurrency=1 if mode == "learn" else 2,
        name="learn" if mode == "learn" else "extract",
        end_with_parent=True,
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
