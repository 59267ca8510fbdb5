"""The library that is made for a recipe: sounds, or points."""

import math
from typing import Literal

from pipeline.errors import UsageError
from pipeline.wire import Value

NOTES = ("C4", "D4", "E4", "F4", "G4", "A4", "B4")


class TonesPlan(Value, frozen=True, kw_only=True, tag_field="kind", tag="tones"):
    """Two recordings of sines with a pause after each (T5), and the seconds of the second one as files of their own.

    `labels` chooses what the seconds are labelled by: `sound` (sound or silence), or `notes` (the sounds by their
    notes).
    """

    labels: Literal["sound", "notes"] = "sound"
    sample_rate_hz: int = 44_100
    tone_s: float = 1.0
    pause_s: float = 1.0
    amplitude: float = 0.5
    """Of full scale."""
    phase_rad: float = 0.0
    lowest_hz: int = 500
    highest_hz: int = 5_000
    step_hz: int = 500
    notes: int = 20
    """How many, drawn at random from the white keys C4 to B4."""
    seed: int = 2
    """Of the notes; by this one each note is played at least twice, and can be learned and tested."""


class PointsPlan(Value, frozen=True, kw_only=True, tag_field="kind", tag="points"):
    """Points of two classes in the plane, by scikit-learn's `make_classification` (T2)."""

    samples: int = 100_000
    clusters_per_class: int = 2
    class_sep: float = 1.5
    flip_y: float = 0.01
    """Share of the points whose class is drawn anew."""
    random_state: int = 7


LibraryPlan = TonesPlan | PointsPlan

_SEEDS = ("seed", "random_state")


def check_library(plan: LibraryPlan, where: str) -> None:
    """Raise `UsageError` naming the key with a number that is none, or a seed that no generator takes."""
    for key, value in plan.to_wire().items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{where}.{key} is {value}; give a finite number")
        if key in _SEEDS and not 0 <= value < 2**32:
            raise UsageError(f"{where}.{key} is {value}; give a whole number from 0 to {2**32 - 1}")
