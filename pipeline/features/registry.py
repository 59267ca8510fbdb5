"""The feature families there are, by name. Importing this is cheap: a family loads its libraries when it computes."""

from functools import cache

from pipeline.errors import UsageError
from pipeline.features import frame_stats, logmel, loudness, mfcc_mean, mfcc_segments
from pipeline.features.spec import FeatureFamily

# Each module is a family: it has a `spec` and a `start`.
_FAMILIES: tuple[FeatureFamily, ...] = (loudness, mfcc_segments, mfcc_mean, frame_stats, logmel)


@cache
def _by_name() -> dict[str, FeatureFamily]:
    return {family.spec.name: family for family in _FAMILIES}


def families() -> dict[str, FeatureFamily]:
    """Return every family by its name."""
    return dict(_by_name())


def family(name: str) -> FeatureFamily:
    """Return the family of a name; raises `UsageError` that lists the names there are."""
    try:
        return _by_name()[name]
    except KeyError:
        raise UsageError(f"feature family {name!r}: no such family; one of: {', '.join(_by_name())}") from None
