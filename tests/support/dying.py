"""Processes of one role that die as they start, for whatever reason, as they do on a host that lacks something."""

import os
from pathlib import Path

SITE = """
import os
import sys

if {word!r} in getattr(sys, "orig_argv", ()) and "worker" in sys.orig_argv:
    sys.stderr.write({text!r})
    sys.stderr.flush()
    os._exit({status})
"""

TRACEBACK = """Traceback (most recent call last):
  File "weighting.py", line 1, in <module>
RuntimeError: cannot cache function '_energies': no locator available
"""
REASON = "RuntimeError: cannot cache function '_energies': no locator available"


def install(folder: Path, word: str, *, text: str = TRACEBACK, status: int = 1) -> dict[str, str]:
    """Return the environment in which each worker with a word on its command line prints some text and ends."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITE.format(word=word, text=text, status=status), "utf-8")
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))}
