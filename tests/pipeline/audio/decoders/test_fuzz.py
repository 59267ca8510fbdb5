"""A few hundred damaged files: each ends as samples or as a failure told in one line, in bounded time and memory."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import damage
import numpy as np
import pytest
from encoders import FORMS, SNDFILE_FORMS, dsf, encode

pytestmark = pytest.mark.slow

SEEDS = 800
DEADLINE_S = 120.0
MOST_BYTES = 300_000_000
KINDS = frozenset({"unreadable", "empty", "too_short", "unsupported", "too_large"})


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> list[dict]:
    """Decode all variants in a process of its own: what crashes or hangs the C libraries only ends that one."""
    folder = tmp_path_factory.mktemp("fuzz") / "whole"
    folder.mkdir()
    time_s = np.arange(30_000) / 44_100
    sound = np.stack([0.3 * np.sin(2 * np.pi * 440 * time_s), 0.2 * np.sin(5_000 * time_s**2)], axis=1)
    sound += np.random.default_rng(0).normal(0, 0.01, sound.shape)
    for name in (*FORMS, *SNDFILE_FORMS):
        (folder / name).write_bytes(encode(name, sound))
    (folder / "a.dsf").write_bytes(dsf(sound[:6_000]))
    root = Path(damage.__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", damage.__file__, folder, "0", str(SEEDS)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{done.returncode} at {lines[-1:]}: {done.stderr[-2_000:]}"
    assert done.stderr == ""
    return lines


def test_every_damaged_file_ends_as_samples_or_as_a_known_failure(outcomes):
    ends = [line for line in outcomes if line.keys() & {"frames", "kind"}]
    assert [line["seed"] for line in ends] == list(range(SEEDS))
    for line in ends:
        assert line.get("frames", 0) > 0 or line.get("kind") in KINDS, line


def test_every_note_and_every_reason_is_one_line(outcomes):
    for line in outcomes:
        text = line.get("note", line.get("reason", ""))
        assert text.isprintable(), line
        assert len(text) < 600, line


def test_most_damaged_files_still_yield_sound(outcomes):
    counts = Counter(line.get("kind", "sound") for line in outcomes if line.keys() & {"frames", "kind"})
    assert counts["sound"] > SEEDS / 2, counts


def test_no_damaged_file_took_much_memory(outcomes):
    assert outcomes[-1]["grown_bytes"] < MOST_BYTES
