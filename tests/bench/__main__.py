"""The benchmark's command: `python -m tests.bench [SECTION]... [--repeats N] [--audio FILE]...`."""

import argparse
import importlib
import os
import platform
import sys
import tempfile
from pathlib import Path

from workers.processes.environment import QUIET

SECTIONS = (
    "extract",
    "commit",
    "store",
    "read",
    "flow",
    "scale",
    "predict",
    "tags",
    "retag",
    "duplicates",
    "startup",
    "honesty",
)


def main() -> None:
    """Measure the sections asked for, all of them by default, and print their tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure; print ratios to references.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}  [default: all]")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="measured rounds  [default: 5]")
    parser.add_argument("--audio", action="append", default=[], metavar="FILE", help="extract these, not a made piece")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the made piece  [default: 30]")
    parser.add_argument("--folder", metavar="DIR", help="measure on this disk  [default: the system's for temporaries]")
    parser.add_argument(
        "--tracks",
        type=int,
        action="append",
        metavar="N",
        help="store, scale, tags, duplicates: of this many tracks; predict: a tenth  [default: 100000]",
    )
    parser.add_argument(
        "--segments", type=int, default=256, metavar="N", help="store: compact this many  [default: 256]"
    )
    parser.add_argument("--songs", type=int, default=40, metavar="N", help="retag: of this many songs  [default: 40]")
    parser.add_argument(
        "--one-process", action="store_true", help="extract: all rows in one process; quicker, but peaks are shared"
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="honesty: this simulation alone")
    given = parser.parse_args()
    if unknown := sorted(set(given.sections) - set(SECTIONS)):
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    if given.repeats < 1 or given.seconds < 4:
        parser.error("give at least 1 repeat and 4 seconds")
    given.tracks = given.tracks or [100_000]
    if min(*given.tracks, given.segments, given.songs) < 2:
        parser.error("give at least 2 tracks, 2 segments and 2 songs")
    if missing := [file for file in given.audio if not Path(file).is_file()]:
        parser.error(f"no such file: {', '.join(missing)}")
    # Every process that is measured inherits these: one numeric thread each, as a worker has.
    os.environ.update(QUIET)
    sys.stdout.write(
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}; {given.repeats} interleaved rounds: median (lowest..highest)\n"
    )
    for section in given.sections or SECTIONS:
        with tempfile.TemporaryDirectory(prefix="chordal-bench-", dir=given.folder) as folder:
            importlib.import_module(f"tests.bench.{section}").measure(Path(folder), given)


if __name__ == "__main__":
    main()
