"""A clock that a test sets: Python's time of day, in every process that has a folder first on its import path."""

from pathlib import Path

SITE = """
import datetime
import time
import types

import msgspec.toml

real = datetime.datetime
now_s, now_ns = time.time, time.time_ns

def shift_s():
    try:
        with open({shift!r}) as file:
            return int(file.read() or 0)
    except FileNotFoundError:
        return 0

class Meta(type):
    def __instancecheck__(cls, value):
        return isinstance(value, real)

class Shifted(real, metaclass=Meta):
    __slots__ = ()

    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=shift_s())

    @classmethod
    def utcnow(cls):
        return super().utcnow() + datetime.timedelta(seconds=shift_s())

time.time = lambda: now_s() + shift_s()
time.time_ns = lambda: now_ns() + shift_s() * 10**9
# It compares types by identity.
msgspec.toml._datetime = types.SimpleNamespace(**vars(datetime))
datetime.datetime = Shifted
"""


class Clock:
    """The time of day of the processes whose PYTHONPATH begins with `path`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.path = str(folder)
        self._shift = folder / "shift"
        (folder / "sitecustomize.py").write_text(SITE.format(shift=str(self._shift)), "utf-8")

    def jump(self, *, hours: int) -> None:
        """Set the clock some hours ahead of the time, or behind it, from now on."""
        self._shift.write_text(str(hours * 3600), "ascii")
