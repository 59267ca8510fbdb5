import signal
import subprocess
import sys

from waiting import eventually

SWALLOWING = """
import os, signal, threading
from workers import interrupts

class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

interrupts.listen()
Finalised()
print("still here", flush=True)
try:
    interrupts.check()
except KeyboardInterrupt:
    print("asked to stop", flush=True)
"""


def test_an_interrupt_that_a_finaliser_swallows_is_not_forgotten():
    told = subprocess.run([sys.executable, "-c", SWALLOWING], capture_output=True, text=True, check=False, timeout=60)
    assert told.stdout.splitlines() == ["still here", "asked to stop"]


def test_a_second_signal_does_not_disturb_the_taking_down():
    code = """
import threading
from workers import interrupts
interrupts.listen()
pause = threading.Event()
try:
    print("up", flush=True)
    pause.wait(30)
except KeyboardInterrupt:
    print("down", flush=True)
    pause.wait(0.5)
    print("done", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "down\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[0] == "done\n"
    eventually(lambda: process.returncode == 0)
