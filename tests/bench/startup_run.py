"""Run a command and print the CPU seconds of it and of all that it started, on Linux those it left behind too.

A process that ends before its children hands them on, and its own parent would not be usage what they used.
"""

import ctypes
import json
import resource
import subprocess
import sys
import time
from contextlib import suppress
from os import wait

PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    began_s = time.perf_counter()
    done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    wall_s = time.perf_counter() - began_s
    with suppress(ChildProcessError):
        while True:
            wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    usage = {"cpu_s": used.ru_utime + used.ru_stime, "wall_s": wall_s, "status": done.returncode, "error": done.stderr}
    json.dump(usage, sys.stdout)


if __name__ == "__main__":
    main()
