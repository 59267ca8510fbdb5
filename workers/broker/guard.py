"""The guard of the embedded broker: a program of its own, which starts at once since it imports no other of ours."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence


def guard(data: str, scrap: str, server: Sequence[str]) -> None:
    """Run the server in its data folder until standard input closes or a SIGTERM comes, again when it dies.

    At the end the folder `scrap` is removed, if one is named.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())

    def watch() -> None:
        while os.read(0, 4096):
            pass
        ended.set()

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
    running = subprocess.Popen(server, cwd=data, stdin=subprocess.DEVNULL)
    while not ended.wait(0.2):
        if running.poll() is not None:
            running = subprocess.Popen(server, cwd=data, stdin=subprocess.DEVNULL)
    running.kill()  # nothing in it is needed any more
    running.wait()
    if scrap:
        shutil.rmtree(scrap, ignore_errors=True)


if __name__ == "__main__":
    guard(sys.argv[1], sys.argv[2], sys.argv[3:])
