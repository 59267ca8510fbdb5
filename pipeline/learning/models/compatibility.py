"""Whether a trained model fits the features that this chordal computes."""

from collections.abc import Iterable

from pipeline.errors import UsageError
from pipeline.features.registry import family
from pipeline.text import printable


def misfit(features: Iterable[str]) -> str:
    """Return which feature family that a model reads, of these keys, is computed differently here; empty if none is.

    With the fingerprint that the model was trained on and the present one.
    """
    for key in features:
        name, _, trained = key.rpartition("-")
        try:
            now = family(name).spec.fingerprint
        except UsageError:
            return f"it reads the feature family {printable(name)} {printable(trained)}, which is not installed here"
        if now != trained:
            return f"it was trained on {printable(name)} {printable(trained)}, and this chordal computes {name} {now}"
    return ""


def check_fits(version: str, features: Iterable[str]) -> None:
    """Raise `UsageError` naming both fingerprints when a model cannot be used with this chordal's features."""
    if why := misfit(features):
        raise UsageError(
            f"model {printable(version)}: {why}; train again, or use the chordal that `chordal models show` names"
        )


def family_names(features: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the families of some keys."""
    return tuple(key.rpartition("-")[0] for key in features)
