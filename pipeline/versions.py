"""Which software made a result."""

import platform
from functools import cache
from importlib import metadata

PACKAGES = (
    "chordal",
    "numpy",
    "scipy",
    "librosa",
    "pyloudnorm",
    "soundfile",
    "soxr",
    "scikit-learn",
    "keras",
    "tensorflow",
    "keras-tuner",
)


def software_versions() -> dict[str, str]:
    """Return the versions of Python and of every package whose release could change a number."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}


@cache
def own_version() -> str:
    """Return chordal's version."""
    return metadata.version("chordal")
