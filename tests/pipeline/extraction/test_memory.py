"""Streaming: what a file's length costs in memory."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.slow

RATE_HZ = 4_000
HOURS = 2
ROOM_MIB = 96
"""What they may take beyond the loaded kernels; what piles up weighs more than thrice as much."""

EXTRACT = textwrap.dedent(
    """
    import re, resource, sys
    from pathlib import Path

    from pipeline.extraction.extract import extract
    from pipeline.features.warm import warm
    from pipeline.library.tracks import ExtractTrack, FileStamp, track_id

    FAMILIES = ("logmel", "mfcc_mean", "mfcc_segments")  # whose rows pile up
    path, room = sys.argv[1], int(sys.argv[2]) << 20
    warm()
    held = int(re.search(r"VmData:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
    resource.setrlimit(resource.RLIMIT_DATA, (held + room, held + room))
    order = ExtractTrack(
        run_id="r", shard=0, track_id=track_id(path), path=path, sequence=1, families=FAMILIES,
        stamp=FileStamp(size_bytes=1, mtime_ns=1),
    )
    record, rows = extract(order, path=path, missing=frozenset(FAMILIES), max_duration_s=1e6)
    print(record.failure, sorted(record.family_failures), sum(each.values.nbytes for each in rows.values()) >> 20)
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts private memory under RLIMIT_DATA")
def test_a_file_of_hours_is_extracted_in_the_memory_of_minutes(tmp_path):
    path = tmp_path / "long.flac"
    minute = np.random.default_rng(0).normal(0, 0.1, (60 * RATE_HZ, 1)).astype(np.float32)
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
        for _ in range(HOURS * 60):
            file.write(minute)

    ended = subprocess.run(
        [sys.executable, "-c", EXTRACT, str(path), str(ROOM_MIB)], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    *failures, rows_mib = ended.stdout.split()
    assert failures == ["None", "[]"]
    assert int(rows_mib) > 1.5 * ROOM_MIB  # and as much log-mel again was kept for the mean
