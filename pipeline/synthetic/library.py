"""Libraries that recipes make for themselves: sounds and points from formulas."""

from pathlib import Path

from pipeline.plans.library import LibraryPlan, PointsPlan
from pipeline.synthetic.folder import SyntheticLibrary

__all__ = ["SyntheticLibrary", "make_library"]


def make_library(plan: LibraryPlan, folder: Path) -> SyntheticLibrary:
    """Write the library of a plan into a folder, or complete the one that is there.

    Raises `UsageError` for a plan that cannot be, a folder that holds anything else, or one that cannot be written.
    """
    if isinstance(plan, PointsPlan):
        from pipeline.synthetic.points import make_points

        return make_points(plan, folder)
    from pipeline.synthetic.tones import make_tones

    return make_tones(plan, folder)
