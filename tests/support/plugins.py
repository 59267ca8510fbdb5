"""Feature families of other distributions, as a user would install them, that do what none of chordal's own does."""

from pathlib import Path

FAMILY = """
import os
import signal
import threading

import numpy as np
from pipeline.features.spec import FeatureRows, FeatureSpec

spec = FeatureSpec(
    name="{name}", version=1, title="{title}", columns=("x", "y"), units=("1", "1"), row_shape=(2,), parameters={{}}
)

class start:
    def __init__(self, stream):
        self.rows = []
{start}

    def push(self, block):
        if len(block.samples):
            self.rows.append([block.samples.mean(), block.samples.std()])

    def finish(self):
        n = len(self.rows)
        return FeatureRows(
            values=np.array(self.rows, np.float32).reshape(n, 2),
            start_s=np.arange(n, dtype=np.float32),
            channel=np.full(n, -1, np.int8),
        )
"""


def install(folder: Path, name: str, *, title: str = "Mean and deviation of blocks", start: str = "pass") -> str:
    """Install a cheap family for files of any length that does something at the start of each; return its PYTHONPATH.

    `start` is Python that sees the `stream` of the file: its rate and channels.
    """
    lines = "\n".join(f"        {line}" for line in start.splitlines())
    facts = folder / f"{name}-1.dist-info"
    facts.mkdir(parents=True)
    (folder / f"{name}.py").write_text(FAMILY.format(name=name, title=title, start=lines), "utf-8")
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n", "utf-8")
    (facts / "entry_points.txt").write_text(f"[chordal.features]\n{name} = {name}\n", "utf-8")
    return str(folder)
