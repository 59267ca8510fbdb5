"""Splits of the tracks of a dataset: what belongs together stays together, every class is learned and tested."""

from pipeline.learning.splits.split import make_split
from pipeline.learning.splits.units import units_of_split

__all__ = ["make_split", "units_of_split"]
