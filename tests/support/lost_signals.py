"""A signal whose exception gets lost: it lands in a finaliser, where Python drops exceptions."""


def finalised(signal: str) -> str:
    """Return the beginning of a program: once a `Finalised` is gone, a signal has come whose exception is lost."""
    return f"""
import os, signal

class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.{signal})
        for _ in range(1000):
            pass
"""
