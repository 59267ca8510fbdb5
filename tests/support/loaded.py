"""What a program loads, looked at in a process of its own: this one has loaded everything already."""

import subprocess
import sys
from collections.abc import Iterable


def told_by(program: str) -> str:
    """Return what a program of its own says when it ends, or its status; empty when all is well."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return done.stderr or (f"status {done.returncode}" if done.returncode else "")


def loaded_by(program: str, modules: Iterable[str]) -> str:
    """Return which of some modules a program has loaded when it ends, or what it says; empty when all is well."""
    return told_by(f"{program}\nimport sys\nsys.exit(' '.join(m for m in {sorted(modules)} if m in sys.modules) or 0)")
