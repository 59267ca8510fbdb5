"""Parting the tracks of a dataset: groups and equal contents stay whole, every class is learned and tested."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Int64
from pipeline.datasets import label_indices
from pipeline.errors import UsageError
from pipeline.learning import DatasetManifest, Partition, Split
from pipeline.recipe import SplitPlan
from pipeline.tracks import printable

_ATTEMPTS = 20
"""Orders of the groups that are tried before a class may be missing from the validation."""

_TRAIN, _TEST, _VALIDATION = range(3)


def make_split(manifest: DatasetManifest, plan: SplitPlan, *, seed: int) -> Split:
    """Return the parting of a dataset that a plan asks for; the same for the same seed.

    Tracks that share a group or a content never lie on two sides of a partition. With folds every fold is tested
    once, the next fold in order validates. Raises `UsageError` that names the class, group or track in the way.
    """
    units = _units(manifest)
    strategy = plan.strategy
    if strategy == "auto":
        strategy = "folds" if any(track.fold is not None for track in manifest.tracks) else "grouped"
    partitions, notes = (
        _by_fold(manifest, units) if strategy == "folds" else _by_group(manifest, units, plan, seed=seed)
    )
    return Split(
        strategy=strategy,
        seed=seed,
        groups=int(units.max()) + 1,
        partitions=partitions,
        notes=(*_duplicate_notes(manifest), *notes),
    )


def whole_units(manifest: DatasetManifest) -> Int64:
    """Return for each track the number of the unit that must stay on one side, shape (tracks,)."""
    return _units(manifest)


def _units(manifest: DatasetManifest) -> Int64:
    """Return for each track the number of the unit that must stay whole, shape (tracks,).

    Tracks are linked when they share a group or a content; a unit is what is linked, however many steps away.
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
        links += [(position, nodes.setdefault(key, count + len(nodes))) for key in keys]
    ends = np.array(links)
    size = count + len(nodes)
    graph = coo_array((np.ones(len(ends), dtype=np.int8), (ends[:, 0], ends[:, 1])), shape=(size, size))
    _, units = connected_components(graph, directed=False)
    # Numbered in the order of the tracks, so that the numbers do not hang on the library's search order.
    _, first, numbers = np.unique(units[:count], return_index=True, return_inverse=True)
    renumbered: Int64 = np.argsort(np.argsort(first))[numbers]
    return renumbered


def _duplicate_notes(manifest: DatasetManifest) -> list[str]:
    """Return what a reader should know of tracks with equal content."""
    by_content: dict[str, list[int]] = {}
    for position, track in enumerate(manifest.tracks):
        by_content.setdefault(track.content_hash, []).append(position)
    copies = [positions for positions in by_content.values() if len(positions) > 1]
    if not copies:
        return []
    notes = [f"{sum(map(len, copies))} tracks are copies of {len(copies)} contents; copies were kept together"]
    torn = [p for p in copies if len({manifest.tracks[i].label for i in p}) > 1]
    if torn:
        example = manifest.tracks[torn[0][0]]
        notes.append(
            f"{len(torn)} contents carry more than one label, e.g. {printable(example.path)}; "
            "such tracks cannot all be right"
        )
    return notes


def _by_fold(manifest: DatasetManifest, units: Int64) -> tuple[tuple[Partition, ...], list[str]]:
    """Return one partition per fold."""
    tracks = manifest.tracks
    without = [track for track in tracks if track.fold is None]
    if without:
        raise UsageError(
            f"{len(without)} of {len(tracks)} tracks have no fold, e.g. {printable(without[0].path)}; "
            "correct --folds, leave these tracks out, or set split.strategy to grouped"
        )
    names = sorted({track.fold for track in tracks if track.fold is not None}, key=_natural)
    if len(names) < 3:
        raise UsageError(
            f"{len(names)} folds ({', '.join(map(printable, names))}) are too few: one tests, one validates, the rest "
            "trains; give at least three, or set split.strategy to grouped"
        )
    fold = np.array([names.index(track.fold) for track in tracks if track.fold is not None])
    partitions, kept_out = [], 0
    for number, name in enumerate(names):
        test = fold == number
        # A unit that reaches over folds must not teach what it is tested on, nor validate what it taught.
        shown = np.isin(units, units[test])
        validation = (fold == (number + 1) % len(names)) & ~shown
        train = ~test & (fold != (number + 1) % len(names)) & ~shown & ~np.isin(units, units[validation])
        kept_out += len(tracks) - int(test.sum() + validation.sum() + train.sum())
        partition = Partition(
            name=name,
            train=_positions(train),
            validation=_positions(validation),
            test=_positions(test),
        )
        _check_fold(manifest, partition)
        partitions.append(partition)
    notes = []
    if kept_out:
        reach = np.unique(np.stack([units, fold]), axis=1)[0]
        straddling = np.count_nonzero(np.bincount(reach) > 1)
        notes.append(
            f"{straddling} groups (or copies) reach over folds; on average {kept_out / len(names):.1f} tracks per fold "
            "were kept out of training or validation against their test"
        )
    return tuple(partitions), notes


def _natural(fold: str) -> tuple[int, int, str]:
    """Return a sort key that puts fold 10 after fold 9, and words after numbers."""
    return (0, int(fold), fold) if fold.isdecimal() else (1, 0, fold)


def _check_fold(manifest: DatasetManifest, partition: Partition) -> None:
    """Refuse a fold that leaves a class nothing to learn from, or nothing to validate with."""
    name = printable(partition.name)
    if not partition.validation:
        raise UsageError(
            f"fold {name}: every track that could validate shares a group or content with its test tracks; "
            "correct --groups or --folds, or set split.strategy to grouped"
        )
    learned = {manifest.tracks[position].label for position in partition.train}
    for label in manifest.classes:
        if label not in learned:
            raise UsageError(
                f"class {printable(label)} has no track left to learn from when fold {name} is tested and the next "
                "one validates; spread the class over more folds, or set split.strategy to grouped"
            )


def _by_group(
    manifest: DatasetManifest, units: Int64, plan: SplitPlan, *, seed: int
) -> tuple[tuple[Partition, ...], list[str]]:
    """Return one partition of whole units, each class parted by the plan's shares as well as its units allow."""
    labels = label_indices(manifest)
    table = np.zeros((int(units.max()) + 1, len(manifest.classes)), dtype=np.int64)
    np.add.at(table, (units, labels), 1)
    _check_units(manifest, table)
    shares = np.array([(1 - plan.test) * (1 - plan.validation), plan.test, (1 - plan.test) * plan.validation])
    rng = np.random.default_rng(seed % 2**64)
    best: tuple[tuple[int, int, int, float], Int64] | None = None
    for _ in range(_ATTEMPTS):
        parts = _assign(table, shares, rng)
        fault = _fault(table, parts, shares)
        if best is None or fault < best[0]:
            best = fault, parts
        if fault[:3] == (0, 0, 0):
            break
    assert best is not None  # noqa: S101 - there is at least one attempt
    side = best[1][units]
    _check_parts(manifest, table, best[1])
    partition = Partition(
        name="holdout",
        train=_positions(side == _TRAIN),
        validation=_positions(side == _VALIDATION),
        test=_positions(side == _TEST),
    )
    unseen = _missing(table, best[1], _VALIDATION)
    notes = []
    if len(unseen):
        named = ", ".join(printable(manifest.classes[number]) for number in unseen)
        notes.append(f"too few groups to validate every class; not in the validation: {named}")
    return (partition,), notes


def _assign(table: Int64, shares: np.ndarray, rng: np.random.Generator) -> Int64:
    """Return the part of each unit, shape (units,): big units first, each where its classes lag most behind.

    Iterative stratification (Sechidis et al., 2011) on whole units; a class with three units gets one in every part.
    `table` (units, classes) counts tracks.
    """
    targets = np.maximum(shares[:, None] * table.sum(axis=0), 1e-9)
    needs = targets.copy()
    sizes = table.sum(axis=1)
    order = rng.permutation(len(table))
    order = order[np.argsort(-sizes[order], kind="stable")]
    parts = np.zeros(len(table), dtype=np.int64)
    for unit in order:
        there = np.flatnonzero(table[unit])
        counts = table[unit, there]
        lag = (needs[:, there] / targets[:, there]) @ (counts / counts.sum())
        # Rounded, so that equal lags are ties whatever the last bit says; ties go to training, then to the test.
        part = int(np.argmax(np.round(lag, 9)))
        parts[unit] = part
        needs[part, there] -= counts
    return parts


def _missing(table: Int64, parts: Int64, part: int) -> Int64:
    """Return the classes without a track in a part."""
    found: Int64 = np.flatnonzero(table[parts == part].sum(axis=0) == 0)
    return found


def _fault(table: Int64, parts: Int64, shares: np.ndarray) -> tuple[int, int, int, float]:
    """Return how bad an assignment is: classes missing per part, then the error of the parts' sizes."""
    sizes = np.array([table[parts == part].sum() for part in range(3)])
    error = float(np.abs(sizes / table.sum() - shares).sum())
    train, test, validation = (len(_missing(table, parts, part)) for part in (_TRAIN, _TEST, _VALIDATION))
    return train, test, validation, error


def _check_units(manifest: DatasetManifest, table: Int64) -> None:
    """Refuse a class whose tracks all belong together: it could be learned or tested, not both."""
    per_class = (table > 0).sum(axis=0)
    sizes = table.sum(axis=0)
    for number, label in enumerate(manifest.classes):
        if per_class[number] < 2:
            raise UsageError(
                f"class {printable(label)}: its {sizes[number]} tracks are one group (or copies of each other), which "
                "must stay on one side, so the class cannot be both learned and tested; add tracks of another group, "
                "or choose other --groups"
            )


def _check_parts(manifest: DatasetManifest, table: Int64, parts: Int64) -> None:
    """Refuse an assignment without some class in training, or without anything to validate or test."""
    held = Counter(parts.tolist())
    if held[_VALIDATION] == 0 or held[_TEST] == 0:
        raise UsageError(
            f"no group is left to {'test' if held[_TEST] == 0 else 'validate'} with: at least one class needs three "
            f"groups (to learn, validate and test) and the {len(parts)} there are do not do; add tracks of other "
            "groups, or choose other --groups"
        )
    for part, verb in ((_TRAIN, "learned"), (_TEST, "tested")):
        for number in _missing(table, parts, part):
            groups = int((table[:, number] > 0).sum())
            raise UsageError(
                f"class {printable(manifest.classes[number])}: its {groups} groups are shared with other classes so "
                f"that it cannot be {verb} with whole groups; choose other --groups, or add tracks of other groups"
            )


def _positions(chosen: Sequence[bool] | np.ndarray) -> tuple[int, ...]:
    """Return the positions that are marked, ascending."""
    return tuple(int(position) for position in np.flatnonzero(chosen))
