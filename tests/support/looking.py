"""Runs the commands that only look, one after the other, in one process; prints their results as JSON."""

import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout

from workers.cli import main

OUT = "OUT"
"""Stands for the folder that may be written to."""

LOOKING = (
    "status",
    "status --json",
    "status --trials",
    "status --trials --json",
    "failures",
    "failures --csv",
    "failures --json",
    "models",
    "models list --json",
    "models show v0001",
    "models show --json",
    "models compare v0001 v0002",
    "report",
    "report --json",
    f"report --out {OUT}/report.html",
    "store info",
    "store info --json",
    "store verify",
    f"store export --family loudness --format csv --out {OUT}/loudness.csv",
    f"store export --family loudness --format parquet --out {OUT}/loudness.parquet",
    f"store export --family loudness --format npz --out {OUT}/loudness.npz",
    f"store export --format h5 --out {OUT}",
    "schedule show",
    "schedule show --json",
    "throttle --show",
)


def results(folder: str, commands: Sequence[str]) -> dict[str, tuple[int, str, str]]:
    """Return the exit status, the output and the errors of each command."""
    return {words: _run(words.replace(OUT, folder).split()) for words in commands}


def _run(words: list[str]) -> tuple[int, str, str]:
    out, err, status = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(words)
        except SystemExit as end:
            status = int(end.code or 0)
        except Exception:  # noqa: BLE001 - the test shows it
            traceback.print_exc()
            status = -1
    return status, out.getvalue(), err.getvalue()


if __name__ == "__main__":
    home, place, *chosen = sys.argv[1:]
    os.environ["CHORDAL_HOME"] = home
    print(json.dumps(results(place, chosen or LOOKING)))
