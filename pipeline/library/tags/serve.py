"""A process that reads tags for another one: a line with paths comes in, a line with their tags goes out.

What it reads may be anything, so it may die of it; whoever started it then knows of which file.
"""

import json
import os
import sys

import msgspec

from pipeline.library.tags.read import find_tags


def serve(fields: tuple[str, ...]) -> None:
    """Answer on what is standard output now until standard input ends; what libraries print goes nowhere."""
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with os.fdopen(answers, "wb") as out:
        for line in sys.stdin.buffer:
            out.write(msgspec.json.encode([find_tags(path, fields) for path in json.loads(line)]) + b"\n")
            out.flush()


if __name__ == "__main__":
    serve(tuple(sys.argv[1:]))
