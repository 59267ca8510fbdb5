"""Simulations of what the statistics promise: how often an interval, a threshold or a test keeps its word.

Each simulation draws homes, groups or tracks whose truth is known and calls the functions of the project on them. No
clock is read, so the figures are the same on every machine.
"""

import importlib
from argparse import Namespace
from pathlib import Path

SIMULATIONS = ("intervals", "threshold", "calibration", "gate", "nights")


def measure(_folder: Path, given: Namespace) -> None:
    """Print the tables of all simulations, or of those that `--only` names."""
    for name in given.only or SIMULATIONS:
        importlib.import_module(f"tests.bench.honesty.{name}").simulate()
