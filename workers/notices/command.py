"""Telling a command: JSON on its standard input, the chief facts in its environment."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from pipeline.text import printable
from workers.notices import guard
from workers.notices.errors import RefusedError
from workers.notices.notice import Notice

SECRETS = ("CHORDAL_BROKER", "CHORDAL_FLOWER_AUTH", "CHORDAL_NOTIFY", "CHORDAL_SERVICE", "CHORDAL_SMTP")
"""Variables that no command which is told needs."""
REASON_CHARS = 200
"""How much is kept of a command's last line."""


def run(words: Sequence[str], notice: Notice, *, limit_s: float) -> None:
    """Tell a command. Raises `RefusedError` when it fails, or takes longer than `limit_s` seconds and is ended."""
    feed(words, json.dumps(notice.to_wire()).encode("ascii"), limit_s=limit_s, environment=_environment(notice))


def feed(words: Sequence[str], data: bytes, *, limit_s: float, environment: dict[str, str] | None = None) -> None:
    """Run a command with bytes on its standard input. Raises `RefusedError` as `run` does."""
    reader, lifeline = os.pipe()
    try:
        # By its file, and without a search for installed packages: it starts at once.
        program = [sys.executable, "-P", "-S", str(guard.__file__), str(limit_s), str(reader), *words]
        finished = subprocess.run(
            program,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(reader,),
            start_new_session=True,  # a terminal's Ctrl-C reaches this process alone, which lets the guard end
            env=environment,
            check=False,
            timeout=limit_s + 10,
        )
    except subprocess.TimeoutExpired as error:
        raise RefusedError(f"did not end within {limit_s:g} s") from error
    except OSError as error:
        raise RefusedError(f"could not be started ({error.strerror})") from error
    finally:
        for file in (reader, lifeline):
            with suppress(OSError):
                os.close(file)
    end, *lines = finished.stdout.decode("utf-8", "replace").split("\n")
    if end == guard.LATE:
        raise RefusedError(f"did not end within {limit_s:g} s, and was ended")
    if status := finished.returncode:
        end = "could not be started" if end == guard.UNSTARTED else f"ended with status {status}"
        last = next((printable(line.strip()) for line in reversed(lines) if line.strip()), "")
        raise RefusedError(f"{end}: {last[:REASON_CHARS]}" if last else end)


def _environment(notice: Notice) -> dict[str, str]:
    facts = {
        "CHORDAL_EVENT": notice.event,
        "CHORDAL_TITLE": notice.title,
        "CHORDAL_TEXT": notice.text,
        "CHORDAL_HOME": notice.home,
        "CHORDAL_RUN": notice.run_id or "",
    }
    clean = {name: value for name, value in os.environ.items() if name not in SECRETS}
    return {**clean, **{name: value.replace("\0", "") for name, value in facts.items()}}
