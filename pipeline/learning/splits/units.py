"""The units that a split keeps whole: tracks linked by a group, an album's file, equal content or near duplicates."""

from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Int64
from pipeline.learning.dataset.load import label_indices
from pipeline.learning.dataset.manifests import DatasetManifest, Split


def units_of(manifest: DatasetManifest, near: Sequence[Sequence[int]] = ()) -> Int64:
    """Return for each track the number of the unit that must stay whole, shape (tracks,).

    Tracks are linked when they share a group, a content or the file of an album, or stand in one set of `near`
    (positions of tracks); a unit is what is linked, however many steps away.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(manifest.tracks)
    nodes: dict[tuple[str, str], int] = {}
    links: list[tuple[int, int]] = []
    for position, track in enumerate(manifest.tracks):
        keys = [("content", track.content_hash)]
        if track.group is not None:
            keys.append(("group", track.group))
        if track.album:
            keys.append(("album", track.album))
        links += [(position, nodes.setdefault(key, count + len(nodes))) for key in keys]
    links += [(first, other) for first, *others in near for other in others]
    ends = np.array(links)
    size = count + len(nodes)
    graph = coo_array((np.ones(len(ends), dtype=np.int8), (ends[:, 0], ends[:, 1])), shape=(size, size))
    _, units = connected_components(graph, directed=False)
    # Numbered in the order of the tracks, so that the numbers do not depend on SciPy's search order.
    _, first, numbers = np.unique(units[:count], return_index=True, return_inverse=True)
    renumbered: Int64 = np.argsort(np.argsort(first))[numbers]
    return renumbered


def units_of_split(manifest: DatasetManifest, split: Split) -> Int64:
    """Return the units that a split kept whole, shape (tracks,)."""
    return units_of(manifest, [each.tracks for each in split.duplicates if each.kind == "near" and each.kept])


def unit_table(manifest: DatasetManifest, units: Int64) -> Int64:
    """Return the tracks of each unit by class, shape (units, classes)."""
    table = np.zeros((int(units.max()) + 1, len(manifest.classes)), dtype=np.int64)
    np.add.at(table, (units, label_indices(manifest)), 1)
    return table


def positions(chosen: Sequence[bool] | np.ndarray) -> tuple[int, ...]:
    """Return the positions that are marked, ascending."""
    return tuple(int(position) for position in np.flatnonzero(chosen))


def scored_units(manifest: DatasetManifest, split: Split) -> Int64:
    """Return the number of each track's unit, (tracks,), as scores take it: right or wrong together.

    The groups that a split keeps whole. Where none were told but folds that somebody made are tested, a fold is one:
    those who make folds put together what belongs together, and say no more of it.
    """
    folds = [track.fold for track in manifest.tracks]
    if split.strategy != "folds" or any(track.group is not None for track in manifest.tracks) or None in folds:
        return units_of_split(manifest, split)
    _, unit = np.unique(np.array(folds, dtype=str), return_inverse=True)
    numbers: Int64 = unit.astype(np.int64)
    return numbers
