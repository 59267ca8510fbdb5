"""Running Python programs in new processes, to see which modules they load: this one has loaded them already."""

import subprocess
import sys
from collections.abc import Iterable


def program_error(program: str) -> str:
    """Return what a program writes to standard error, or else its status; empty when it ends well."""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return ended.stderr or (f"status {ended.returncode}" if ended.returncode else "")


def loaded_modules(program: str, modules: Iterable[str]) -> str:
    """Return which of some modules a program has loaded when it ends, or its error; empty when it loads none."""
    return program_error(
        f"{program}\nimport sys\nsys.exit(' '.join(m for m in {sorted(modules)} if m in sys.modules) or 0)"
    )
