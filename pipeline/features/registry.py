"""The feature families there are, by name: those that come with chordal, and those of installed plug-ins.

Importing this is cheap: a family loads its libraries when it computes, a plug-in is imported when it is requested.
"""

from functools import cache

from pipeline.errors import UsageError
from pipeline.features.families import (
    chroma,
    ebu_r128,
    ebu_r128_dual_mono,
    fingerprint,
    frame_stats,
    key,
    logmel,
    logmel_segments,
    loudness,
    mel_seconds,
    mfcc_mean,
    mfcc_segments,
    mfcc_stats,
    points,
    rhythm,
    spectral_stats,
)
from pipeline.features.plugins import check_clash, load, plugins
from pipeline.features.spec import FeatureFamily

# Each module is a family: it has a `spec` and a `start`.
_FAMILIES: tuple[FeatureFamily, ...] = (
    loudness,
    mfcc_segments,
    mfcc_mean,
    frame_stats,
    logmel,
    logmel_segments,
    ebu_r128,
    ebu_r128_dual_mono,
    fingerprint,
    spectral_stats,
    chroma,
    key,
    rhythm,
    mfcc_stats,
    mel_seconds,
)
# Not to be extracted: known by name only, for rows that are imported.
_IMPORTED: dict[str, FeatureFamily] = {points.spec.name: points}


@cache
def _by_name() -> dict[str, FeatureFamily]:
    return {family.spec.name: family for family in _FAMILIES}


def built_in() -> dict[str, FeatureFamily]:
    """Return the families that come with chordal, by name."""
    return dict(_by_name())


def families() -> dict[str, FeatureFamily]:
    """Return every family by its name; plug-ins are imported.

    Raises `UsageError` naming the distribution and entry point of a plug-in that cannot be used.
    """
    return {name: family(name) for name in _names()}


@cache
def family(name: str) -> FeatureFamily:
    """Return the family of a name.

    Raises `UsageError` that lists the names there are, or that names the plug-in that cannot be used.
    """
    own = _by_name().get(name) or _IMPORTED.get(name)
    if own is None and name not in plugins():
        raise UsageError(f"feature family {name!r}: no such family; one of: {', '.join(_names())}")
    check_clash(name, built_in=own is not None)
    return own if own is not None else load(name)


def _names() -> list[str]:
    return list(dict.fromkeys([*_by_name(), *plugins()]))
