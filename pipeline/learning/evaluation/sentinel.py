"""The leakage sentinel: the score of a random split of rows on the same features, against that of whole groups.

It runs after every choice was made and every score is known, and nothing is chosen by it.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Bool, Float32, Float64, Int64
from pipeline.learning.dataset.load import Rows, label_indices
from pipeline.learning.dataset.manifests import DatasetManifest
from pipeline.learning.evaluation.intervals import difference_interval, share_interval
from pipeline.learning.models import LabelledRows, model_family
from pipeline.learning.splits.assignment import even_parts
from pipeline.learning.study.findings import Sentinel, SentinelGap, SentinelScore
from pipeline.learning.study.trials import TrialSpec
from pipeline.plans.recipe import Scalar

FOLDS = 4
"""Each row is tested once, by a model that learned from the other folds."""

MOST_FOLDS = 8
"""As many folds as groups up to this, where there are few: each of them is then tested by a model of all the others."""

QUICK = frozenset({"logistic", "svm"})
"""Families whose chosen configuration is fitted again here; for others a support vector machine is fitted."""

_STAND_IN = ("svm", {"c": 8.0, "gamma": 0.5})
_ROWS = 2000
_LEAST_ROWS_OF_A_UNIT = 4
"""With so many groups that each would have fewer rows, some of them are left out."""
_STRETCHES = 2
"""Stretches of neighbours per fold and class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """The configuration that is fitted."""

    family: str
    hyperparameters: dict[str, Scalar]
    classes: int
    seed: int


def run_sentinel(manifest: DatasetManifest, units: Int64, rows: Rows, spec: TrialSpec, *, seed: int) -> Sentinel:
    """Return how one model does under three splits of the same rows: singly, neighbours together, groups together.

    `rows` are those of the family that `spec` reads, of all tracks; `units` (tracks,) are what a split keeps whole.
    Some 2,000 rows take part, of all groups as long as each can have a few. Each split has the same number of folds,
    tests the same rows and learns from equally many. A model that cannot be fitted gives a sentinel without scores, and
    the reason.
    """
    random = np.random.default_rng([seed % 2**64, 0x73656E])
    sample = _Sample.of(manifest, units, rows, random)
    classes = len(manifest.classes)
    is_winner = spec.family in QUICK and rows.x.ndim < 3
    family, hyperparameters = (spec.family, spec.hyperparameters) if is_winner else _STAND_IN
    testable, folds = sample.testable(classes)
    sentinel = Sentinel(
        family=family,
        features=spec.features,
        is_winner=is_winner,
        rows=len(sample.y),
        tracks=len(np.unique(sample.track)),
        units=len(np.unique(sample.unit)),
        folds=folds,
        untold=tuple(name for name, can in zip(manifest.classes, testable, strict=True) if not can),
    )
    folds_by_split = {"random": _singly(sample, folds, random), "neighbours": _neighbours(sample, folds)}
    is_tested = np.ones(len(sample.y), np.bool_)
    if testable.any():
        folds_by_split["honest"] = _by_unit(sample, folds, seed=seed)
        # The same rows are tested everywhere; those of a class that has one group are always learned from.
        is_tested = testable[sample.y]
    else:
        sentinel = sentinel.replace(reason="no class has two groups: nothing can be said of unseen ones")
    for fold in folds_by_split.values():
        fold[~is_tested] = -1
    amount = min(int(np.count_nonzero(fold != number)) for fold in folds_by_split.values() for number in range(folds))
    sentinel = sentinel.replace(learned_from=amount, tested=int(np.count_nonzero(is_tested)))
    model = _Model(family=family, hyperparameters=dict(hyperparameters), classes=classes, seed=spec.seed)
    try:
        right = {name: _right(sample, fold, model, amount, random=random) for name, fold in folds_by_split.items()}
    except (ValueError, MemoryError) as error:
        return sentinel.replace(reason=f"{family} could not be fitted ({' '.join(str(error).split())[:200]})")
    scores = {name: _score(sample, is_tested, hits) for name, hits in right.items()}
    sentinel = sentinel.replace(random=scores["random"], neighbours=scores["neighbours"])
    if "honest" not in scores:
        return sentinel
    return sentinel.replace(
        honest=scores["honest"],
        gap=_gap(sample, is_tested, right["random"], right["honest"]),
        hidden=_gap(sample, is_tested, right["honest"], right["neighbours"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """The rows that take part, in the order of the library: `x` (n, columns), the rest (n,)."""

    x: Float32
    y: Int64
    track: Int64
    unit: Int64

    @classmethod
    def of(cls, manifest: DatasetManifest, units: Int64, rows: Rows, random: np.random.Generator) -> "_Sample":
        """Return evenly spaced rows of whole units, class by class in turn, until there are enough."""
        originals = np.flatnonzero(~rows.is_copy)
        owner = rows.owner[originals]
        counts = np.bincount(owner, minlength=len(manifest.tracks))
        chosen_units, per_unit = _chosen_units(label_indices(manifest), units, counts, random)
        row_counts = _thinned(counts, units, per_unit)
        tracks = np.flatnonzero(np.isin(units, chosen_units) & (row_counts > 0))
        first = np.concatenate([[0], np.cumsum(counts)])
        indices = np.concatenate(
            [first[t] + np.linspace(0, counts[t] - 1, row_counts[t]).round().astype(np.int64) for t in tracks]
        )
        order = originals[np.argsort(owner, kind="stable")[indices]]
        track = rows.owner[order]
        return cls(x=_flat(rows.x[order]), y=label_indices(manifest)[track], track=track, unit=units[track])

    def testable(self, classes: int) -> tuple[Bool, int]:
        """Return which classes have two units, shape (classes,), and how many folds the smallest of them allows."""
        pairs = np.unique(np.stack([self.y, self.unit]), axis=1)
        per_class = np.bincount(pairs[0], minlength=classes)
        testable = per_class >= 2
        least = int(per_class[testable].min()) if testable.any() else FOLDS
        folds = least if FOLDS < least <= MOST_FOLDS else min(FOLDS, least)
        return testable, folds


def _chosen_units(labels: Int64, units: Int64, counts: Int64, random: np.random.Generator) -> tuple[Int64, int]:
    """Return the units that take part, and how many rows of each at most.

    Groups are what is scarce: all of them, with fewer rows of each, as long as that leaves enough rows of each; else
    as many as there is room for: one of every class in turn.
    """
    with_rows = np.unique(units[counts > 0])
    per_unit = max(_ROWS // max(len(with_rows), 1), _LEAST_ROWS_OF_A_UNIT)
    room = _ROWS // per_unit
    if len(with_rows) <= room:
        return with_rows, per_unit
    _, first = np.unique(units, return_index=True)
    order = random.permutation(with_rows)
    ranks: dict[int, int] = {}
    rank = np.zeros(len(order), np.int64)
    for at, unit in enumerate(order.tolist()):
        label = int(labels[first[unit]])
        rank[at] = ranks[label] = ranks.get(label, -1) + 1
    # Two of every class always take part, however many classes there are.
    in_turn = np.argsort(rank, kind="stable")
    chosen: Int64 = order[in_turn[: max(room, int(np.count_nonzero(rank < 2)))]]
    return chosen, per_unit


def _thinned(counts: Int64, units: Int64, per_unit: int) -> Int64:
    """Return how many rows of each track take part, (tracks,), so that no unit has many more than `per_unit`.

    Where a unit has more tracks than that, so many of them, evenly spaced, have one row each.
    """
    row_counts = np.zeros_like(counts)
    for members in _members(np.where(counts > 0, units, -1)):
        if len(members) > per_unit:
            row_counts[members[np.linspace(0, len(members) - 1, per_unit).round().astype(np.int64)]] = 1
        else:
            row_counts[members] = np.minimum(counts[members], max(per_unit // len(members), 1))
    return row_counts


def _members(units: Int64) -> list[Int64]:
    """Return the tracks of each unit from 0 on, one array a unit."""
    order = np.argsort(units, kind="stable")
    tracks = order[units[order] >= 0]
    return np.split(tracks, np.flatnonzero(np.diff(units[tracks])) + 1) if len(tracks) else []


def _flat(x: Float32) -> Float32:
    """Return rows as vectors: matrices (n, frames, columns) by mean and deviation of their columns."""
    if x.ndim < 3:
        return x
    flat: Float32 = np.concatenate([x.mean(axis=1), x.std(axis=1)], axis=1).reshape(len(x), -1)
    return flat


def _singly(sample: _Sample, folds: int, random: np.random.Generator) -> Int64:
    """Return the fold of each row, assigned singly, each class evenly."""
    fold = np.zeros(len(sample.y), np.int64)
    for label in np.unique(sample.y):
        members = np.flatnonzero(sample.y == label)
        fold[random.permutation(members)] = np.arange(len(members)) % folds
    return fold


def _neighbours(sample: _Sample, folds: int) -> Int64:
    """Return the fold of each row, neighbours together: each class is cut into stretches, which are assigned in turn.

    Tracks are in the order of their paths, so that a stretch tends to be of one album or session; where a class has
    few tracks it is a stretch of time.
    """
    fold = np.zeros(len(sample.y), np.int64)
    for label in np.unique(sample.y):
        members = np.flatnonzero(sample.y == label)
        fold[members] = np.arange(len(members)) * folds * _STRETCHES // len(members) % folds
    return fold


def _by_unit(sample: _Sample, folds: int, *, seed: int) -> Int64:
    """Return the fold of each row, whole units together, each class evenly."""
    members, unit = np.unique(sample.unit, return_inverse=True)
    table = np.zeros((len(members), int(sample.y.max()) + 1), np.int64)
    np.add.at(table, (unit, sample.y), 1)
    folds_of_rows: Int64 = even_parts(table, folds, seed=seed)[unit]
    return folds_of_rows


def _right(
    sample: _Sample,
    fold: Int64,
    model: _Model,
    amount: int,
    *,
    random: np.random.Generator,
) -> Bool:
    """Return which rows a model names rightly that learned from `amount` rows of other folds, shape (n,)."""
    right = np.zeros(len(sample.y), np.bool_)
    for number in range(int(fold.max()) + 1):
        tested = np.flatnonzero(fold == number)
        others = np.flatnonzero(fold != number)
        learned = np.sort(random.choice(others, amount, replace=False))
        fit = model_family(model.family).fit(
            LabelledRows(x=sample.x[learned], y=sample.y[learned]),
            None,
            classes=model.classes,
            hyperparameters=model.hyperparameters,
            seed=model.seed,
        )
        right[tested] = fit.model.probabilities(sample.x[tested]).argmax(axis=1) == sample.y[tested]
    return right


def _per_unit(sample: _Sample, is_tested: Bool, values: Float64) -> tuple[Float64, Float64]:
    """Return the sum of some values and the number of rows of each unit, over the rows that were tested."""
    _, unit = np.unique(sample.unit[is_tested], return_inverse=True)
    sums, counts = (np.bincount(unit, weights=what).astype(np.float64) for what in (values[is_tested], None))
    return sums, counts


def _score(sample: _Sample, is_tested: Bool, right: Bool) -> SentinelScore:
    return SentinelScore(
        accuracy=float(right[is_tested].mean()),
        interval=share_interval(*_per_unit(sample, is_tested, right.astype(np.float64))),
    )


def _gap(sample: _Sample, is_tested: Bool, first: Bool, other: Bool) -> SentinelGap:
    """Return how many more of the same rows the first split has right than another."""
    more = first.astype(np.float64) - other
    return SentinelGap(
        gap=float(more[is_tested].mean()), interval=difference_interval(*_per_unit(sample, is_tested, more))
    )
