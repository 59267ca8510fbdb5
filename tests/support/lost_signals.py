"""A signal whose exception is lost, as it is raised in a finaliser, where Python drops exceptions."""


def lost_signal(signal: str) -> str:
    """Return the beginning of a program: deleting a `Finalised` sends a signal whose exception is lost."""
    return f"""
import os, signal

class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.{signal})
        for _ in range(1000):
            pass
"""
