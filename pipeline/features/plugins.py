"""Feature families of other distributions: entry points of the group `chordal.features`, named like their family.

An entry point leads to an object (most simply a module) with a `spec` and a `start`, like every family here. Only
the metadata of installed distributions is read until a family is requested by name. What a plug-in returns is checked,
and what it raises over a file is a failure of that family on that file, never of the file.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import numpy as np

from pipeline.audio.block import AudioBlock, StreamInfo
from pipeline.errors import ChordalError, UnsupportedError, UsageError
from pipeline.features.moved import describe_move
from pipeline.features.spec import Accumulator, FeatureFamily, FeatureRows, FeatureSpec

GROUP = "chordal.features"

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@cache
def plugins() -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points of the group by name, sorted; more than one for a name is a clash."""
    by_name: dict[str, dict[tuple[str, str], EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        # A distribution may be on the path twice, as one installed for development is.
        by_name.setdefault(point.name, {})[_distribution(point), point.value] = point
    return {name: tuple(points[key] for key in sorted(points)) for name, points in sorted(by_name.items())}


def check_clash(name: str, *, built_in: bool) -> None:
    """Refuse a name that a plug-in shares with a built-in family or with another plug-in.

    Raises `UsageError` that names all of them.
    """
    claimants = [describe(point) for point in plugins().get(name, ())]
    if built_in:
        claimants.insert(0, "chordal itself")
    if len(claimants) > 1:
        raise UsageError(
            f"feature family {name!r}: claimed by {' and by '.join(claimants)}; uninstall what you do not want"
        )


def load(name: str) -> FeatureFamily:
    """Return the family of a plug-in, imported now.

    Raises `UsageError` naming the distribution and the entry point when it cannot be imported or is no family.
    """
    check_clash(name, built_in=False)
    point = plugins()[name][0]
    try:
        family = point.load()
        spec, start = family.spec, family.start
    except (Exception, SystemExit) as error:  # importing somebody else's code may raise anything
        fault = describe_move(error) or f"cannot be loaded ({_in_words(error)})"
        raise UsageError(f"feature family {name!r}: {describe(point)} {fault}; mend it or uninstall it") from error
    if fault := _fault(name, spec, start):
        raise UsageError(f"feature family {name!r}: {describe(point)} {fault}; mend it or uninstall it")
    return _CheckedFamily(family, origin=_distribution(point))


def describe(point: EntryPoint) -> str:
    """Return a plug-in in words: its distribution and its entry point."""
    return f"{_distribution(point)} (entry point {point.name} = {point.value})"


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown distribution"


def _fault(name: str, spec: object, start: object) -> str:
    """Return what keeps an object from being a family; empty for a family."""
    if not isinstance(spec, FeatureSpec):
        return "has a spec that is no pipeline.features.spec.FeatureSpec"
    if not callable(start):
        return "has a start that cannot be called"
    try:
        FeatureSpec.from_wire(spec.to_wire())
    except (UsageError, TypeError) as error:
        return f"has a spec of wrong types ({error})"
    if spec.name != name or not _NAME.fullmatch(name):
        return f"describes {spec.name!r}: entry point and spec must have one name of a-z, 0-9 and _"
    if not spec.row_shape or not len(spec.columns) == len(spec.units) == spec.row_shape[-1]:
        return (
            f"has {len(spec.columns)} columns and {len(spec.units)} units for rows of shape {spec.row_shape}: "
            "one of each for every entry of the last axis"
        )
    return ""


class _CheckedFamily:
    """A family of a plug-in whose errors are translated and whose rows are checked."""

    def __init__(self, family: FeatureFamily, *, origin: str) -> None:
        self.spec = family.spec
        self._family = family
        self._origin = origin

    def start(self, stream: StreamInfo) -> Accumulator:
        """Return what computes the family's rows for one file; raises `UnsupportedError` for whatever it raises."""
        with _plugin_errors(self._origin):
            return _CheckedAccumulator(self._family.start(stream), self.spec, self._origin)


class _CheckedAccumulator:
    def __init__(self, accumulator: Accumulator, spec: FeatureSpec, origin: str) -> None:
        self._accumulator = accumulator
        self._spec = spec
        self._origin = origin

    def push(self, block: AudioBlock) -> None:
        with _plugin_errors(self._origin):
            self._accumulator.push(block)

    def finish(self) -> FeatureRows:
        with _plugin_errors(self._origin):
            rows = self._accumulator.finish()
            converted = FeatureRows(
                values=np.ascontiguousarray(rows.values, np.float32),
                start_s=np.asarray(rows.start_s, np.float32),
                channel=np.asarray(rows.channel, np.int8),
            )
            shapes = converted.values.shape, converted.start_s.shape, converted.channel.shape
        n = len(rows.channel)
        if shapes != (expected := ((n, *self._spec.row_shape), (n,), (n,))):
            raise UnsupportedError(
                f"{self._origin} yields values, start_s and channel of shapes {shapes}, not {expected}"
            )
        return converted


@contextmanager
def _plugin_errors(origin: str) -> Iterator[None]:
    """Raise an error of a plug-in's code over a file, unless it is one of ours, as `UnsupportedError`.

    `MemoryError` passes: its cause is the process, not the file. So does `SystemExit`: a pool ends a process by it.
    """
    try:
        yield
    except (ChordalError, MemoryError):
        raise
    except Exception as error:
        fault = describe_move(error) or f"raised {_in_words(error)}"
        raise UnsupportedError(f"{origin} {fault}") from error
