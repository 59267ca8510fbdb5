"""The split of single rows, whatever track they are of: on request by name, to repeat published work.

Rows of one track are on both sides, so the score says how well a model names other moments of tracks it knows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Float32, Int64
from pipeline.errors import UsageError
from pipeline.features.spec import FeatureRows
from pipeline.learning.dataset.flaws import RowSides
from pipeline.learning.dataset.load import RowSource, load_rows
from pipeline.learning.dataset.manifests import DatasetManifest, Partition, Split
from pipeline.learning.splits.units import units_of_split
from pipeline.library.tracks import TrackRecord
from pipeline.plans.recipe import Recipe
from pipeline.plans.split import SplitPlan

NOTE = (
    "single rows were dealt out at random, class by class, as the recipe asks: segments of one track stand on both "
    "sides, where it has several, and the score says how well the model names other moments of tracks it has learned "
    "from, not tracks it has never heard"
)


def by_row(
    manifest: DatasetManifest, units: Int64, plan: SplitPlan, *, seed: int
) -> tuple[tuple[Partition, ...], list[str]]:
    """Return the partition with every track on every side; `row_view` splits the rows."""
    del units, plan, seed
    every = tuple(range(len(manifest.tracks)))
    return (Partition(name="rows", train=every, validation=every, test=every),), [NOTE]


def row_view(
    recipe: Recipe, manifest: DatasetManifest, split: Split, source: RowSource
) -> tuple[DatasetManifest, Split, RowSource]:
    """Return manifest, split and source in the entries that the scores count: tracks or rows.

    Where tracks are split these are the arguments. Where rows are split, the manifest lists rows (with path and id of
    their track, in the group of their track's unit), the split divides them by the plan's shares, and the source reads
    them. Equal seeds give equal splits.
    Raises `UsageError` when a side has no row at all.
    """
    if split.strategy != "rows":
        return manifest, split, source
    family = recipe.models[0].features
    rows = load_rows(manifest, family, source)
    units = units_of_split(manifest, split)
    tracks = tuple(
        manifest.tracks[owner].replace(
            content_hash=f"{manifest.tracks[owner].content_hash}#{number}", group=f"unit {units[owner]}", row=within
        )
        for number, (owner, within) in enumerate(zip(rows.owner.tolist(), _within(rows.owner), strict=True))
    )
    listed = manifest.replace(tracks=tracks, families={family: manifest.families[family]})
    partition = _split_rows([track.label for track in tracks], recipe.split, seed=split.seed)
    _check(listed, partition)
    return listed, split.replace(partitions=(partition,)), _SingleRows(x=rows.x)


def owners(rows: DatasetManifest, tracks: DatasetManifest) -> Int64:
    """Return the position in `tracks` of the track that each entry of `rows` is of, shape (rows,)."""
    positions = {track.track_id: position for position, track in enumerate(tracks.tracks)}
    return np.array([positions[row.track_id] for row in rows.tracks], dtype=np.int64)


def row_sides(rows: DatasetManifest, split: Split) -> RowSides:
    """Return how many rows are on each side of their split, and how many tracks have rows on several."""
    (partition,) = split.partitions
    sides = (partition.train, partition.validation, partition.test)
    track_sides = Counter(track for side in sides for track in {rows.tracks[position].track_id for position in side})
    train, validation, test = map(len, sides)
    torn = sum(count > 1 for count in track_sides.values())
    return RowSides(train=train, validation=validation, test=test, torn=torn)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SingleRows:
    """A source in which each row of a family is a content of its own: `x` (rows, *row_shape)."""

    x: Float32

    def rows(self, family_key: str, content_hashes: Sequence[str]) -> list[FeatureRows]:
        """Return the row of each hash."""
        del family_key  # there is one
        start_s, channel = np.zeros(1, np.float32), np.full(1, -1, np.int8)
        numbers = (int(content.rpartition("#")[2]) for content in content_hashes)
        return [FeatureRows(values=self.x[n : n + 1], start_s=start_s, channel=channel) for n in numbers]

    def record(self, track_id: str) -> TrackRecord | None:
        """Return None: rows were never extracted singly."""
        del track_id
        return None

    def families_of(self, content_hash: str) -> frozenset[str]:
        """Return nothing: a manifest is not built from rows."""
        del content_hash
        return frozenset()


def _within(owner: Int64) -> list[int]:
    """Return the number of each row within its track; the rows of a track are consecutive."""
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    starts = np.repeat(first, np.diff(first, append=len(owner)))
    counted: list[int] = (np.arange(len(owner)) - starts).tolist()
    return counted


def _split_rows(labels: Sequence[str], plan: SplitPlan, *, seed: int) -> Partition:
    """Return rows split by the plan's shares, to the nearest row, each class in proportion.

    One row of each class is learned from, whatever the shares.
    """
    shuffled = np.random.default_rng(seed % 2**64).permutation(len(labels))
    order = shuffled[np.argsort(np.array(labels)[shuffled], kind="stable")]
    _, first = np.unique(np.array(labels)[order], return_index=True)
    first_of_class, free = order[first], np.delete(order, first)
    tested, free = _evenly_spaced(free, round(len(labels) * plan.test))
    validated, free = _evenly_spaced(free, round((len(labels) - len(tested)) * plan.validation))
    train, validation, test = (
        tuple(sorted(part.tolist())) for part in (np.append(first_of_class, free), validated, tested)
    )
    return Partition(name="rows", train=train, validation=validation, test=test)


def _evenly_spaced(positions: Int64, count: int) -> tuple[Int64, Int64]:
    """Return `count` of some positions, evenly spaced among them, and the others."""
    count = min(count, len(positions))
    steps = np.arange(len(positions) + 1) * count // max(len(positions), 1)
    chosen = np.diff(steps) > 0
    return positions[chosen], positions[~chosen]


def _check(manifest: DatasetManifest, partition: Partition) -> None:
    for side, name in ((partition.validation, "validate"), (partition.test, "test")):
        if not side:
            raise UsageError(f"{len(manifest.tracks)} rows are too few to {name} with; add tracks")
