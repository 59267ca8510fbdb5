import signal
import subprocess
import sys

import pytest
from conditions import eventually
from lost_signals import lost_signal

pytestmark = pytest.mark.slow

SWALLOWING = f"""
{lost_signal("SIGINT")}
from workers.processes import signals

signals.listen()
Finalised()
print("still here", flush=True)
try:
    signals.check()
except KeyboardInterrupt:
    print("asked to stop", flush=True)
"""


def test_an_interrupt_that_a_finaliser_swallows_is_not_forgotten():
    done = subprocess.run([sys.executable, "-c", SWALLOWING], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.splitlines() == ["still here", "asked to stop"]


def test_a_second_signal_does_not_disturb_the_taking_down():
    code = """
import threading
from workers.processes import signals
signals.listen()
pause = threading.Event()
try:
    print("up", flush=True)
    pause.wait(120)
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
    assert process.communicate(timeout=120)[0] == "done\n"
    eventually(lambda: process.returncode == 0)


ASKING = """
import os, signal
from workers.processes import signals

signals.listen()
with signals.first_interrupt_asks():
    os.kill(os.getpid(), signal.SIGINT)
    print("finishing", signals.stop_requested(), flush=True)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        print("never said")
    except KeyboardInterrupt:
        print("at once", flush=True)
"""


def test_where_the_first_ctrl_c_asks_the_second_stops():
    result = subprocess.run([sys.executable, "-c", ASKING], capture_output=True, text=True, check=False, timeout=120)
    assert result.stdout.splitlines() == ["finishing True", "at once"], result.stderr


def test_where_the_first_ctrl_c_asks_a_termination_stops():
    code = ASKING.replace("signal.SIGINT", "signal.SIGTERM", 1)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert result.stdout.splitlines() == []
