"""The points library (T2): one file of points in the plane with their classes, to be imported."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.arrays import Float64, Int64
from pipeline.errors import UsageError
from pipeline.plans.library import PointsPlan
from pipeline.synthetic.folder import Item, SyntheticLibrary, complete

FILE = "points.npz"
FAMILY = "points"
_VERSION = 1


def points(plan: PointsPlan) -> tuple[Float64, Int64]:
    """Return the points, shape (samples, 2), and their classes 0 or 1, shape (samples,)."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        n_samples=plan.samples,
        n_features=2,
        n_informative=2,
        n_redundant=0,
        n_classes=2,
        n_clusters_per_class=plan.clusters_per_class,
        class_sep=plan.class_sep,
        flip_y=plan.flip_y,
        random_state=plan.random_state,
    )
    return x, y


def make_points(plan: PointsPlan, folder: Path) -> SyntheticLibrary:
    """Write the file of points, unless it is there.

    Raises `UsageError` for a plan that makes no such points, a folder with other things in it, or one that cannot be
    written.
    """
    if plan.samples < 8 or plan.clusters_per_class not in {1, 2} or not 0 <= plan.flip_y <= 1:
        raise UsageError(
            "library points: samples are at least 8, clusters_per_class 1 or 2 in the plane, flip_y a share from 0 to 1"
        )
    written = complete(folder, {"version": _VERSION, **plan.to_wire()}, _items(plan))
    return SyntheticLibrary(path=folder / FILE, family=FAMILY, written=written)


def _items(plan: PointsPlan) -> Iterator[Item]:
    def archive() -> bytes:
        x, y = points(plan)
        file = io.BytesIO()
        np.savez(file, Xdata=x, Ydata=y[:, np.newaxis])
        return file.getvalue()

    yield Item(FILE, archive)
