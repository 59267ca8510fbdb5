"""Predefined folds: each tested once, or some that train against others that test."""

import numpy as np

from pipeline.arrays import Int64
from pipeline.errors import UsageError
from pipeline.learning.dataset.manifests import DatasetManifest, Partition
from pipeline.learning.splits.holdout import split_validation, validation_notes
from pipeline.learning.splits.roles import describe_roles, roles_by_name
from pipeline.learning.splits.units import positions
from pipeline.plans.split import SplitPlan
from pipeline.text import printable


def by_fold(
    manifest: DatasetManifest, units: Int64, plan: SplitPlan, *, seed: int
) -> tuple[tuple[Partition, ...], list[str]]:
    """Return one partition per fold, the next fold in order validating; or the one that the plan's folds make."""
    tracks = manifest.tracks
    without = [track for track in tracks if track.fold is None]
    if without:
        raise UsageError(
            f"{len(without)} of {len(tracks)} tracks have no fold, e.g. {printable(without[0].path)}; "
            "correct --folds, leave these tracks out, or set split.strategy to grouped"
        )
    names = sorted({track.fold for track in tracks if track.fold is not None}, key=_natural)
    fold = np.array([names.index(track.fold) for track in tracks if track.fold is not None])
    if plan.train_folds or plan.test_folds:
        return _named(manifest, units, plan, names, fold, seed=seed)
    if (roles := roles_by_name(names)) is not None:
        train, test, validation = roles
        plan = plan.replace(train_folds=tuple(train), test_folds=tuple(test), validation_folds=tuple(validation))
        partitions, notes = _named(manifest, units, plan, names, fold, seed=seed)
        return partitions, [describe_roles(train, test, validation), *notes]
    return _one_per_fold(manifest, units, names, fold)


def _one_per_fold(
    manifest: DatasetManifest, units: Int64, names: list[str], fold: Int64
) -> tuple[tuple[Partition, ...], list[str]]:
    """Return one partition per fold."""
    if len(names) < 3:
        raise UsageError(
            f"{len(names)} folds ({', '.join(map(printable, names))}) are too few: one tests, one validates, the rest "
            "trains; give at least three, name those that train and test (split.train_folds, split.test_folds), or "
            "set split.strategy to grouped"
        )
    partitions, kept_out = [], 0
    for number, name in enumerate(names):
        test = fold == number
        # A unit that reaches over folds must not be learned from and tested, nor learned from and validated.
        related = np.isin(units, units[test])
        validation = (fold == (number + 1) % len(names)) & ~related
        train = ~test & (fold != (number + 1) % len(names)) & ~related & ~np.isin(units, units[validation])
        kept_out += len(fold) - int(test.sum() + validation.sum() + train.sum())
        partition = Partition(
            name=name,
            train=positions(train),
            validation=positions(validation),
            test=positions(test),
        )
        _check_fold(manifest, partition)
        partitions.append(partition)
    notes = []
    if kept_out:
        notes.append(
            f"{_straddling(units, fold)} groups (or copies) reach over folds; on average "
            f"{kept_out / len(names):.1f} tracks per fold were kept out of training or validation against their test"
        )
    return tuple(partitions), notes


def _named(
    manifest: DatasetManifest, units: Int64, plan: SplitPlan, names: list[str], fold: Int64, *, seed: int
) -> tuple[tuple[Partition, ...], list[str]]:
    """Return the partition in which some folds train and others test.

    Folds of the plan validate, else validation is carved from those that train.
    """
    to_train, to_test, to_validate = _fold_roles(plan, names)
    notes = []
    if not to_validate and len(to_train) > 1 and not any(track.group is not None for track in manifest.tracks):
        to_train, to_validate = _validating_fold(manifest, to_train)
        if to_validate:
            known = "nothing else is known of what belongs together (split.validation_folds names another)"
            notes.append(f"fold {printable(to_validate[0])} validates, as {known}")
    test, train, validating = (
        np.isin(fold, [names.index(name) for name in folds]) for folds in (to_test, to_train, to_validate)
    )
    validating &= ~np.isin(units, units[test])
    learned = np.flatnonzero(train & ~np.isin(units, units[test | validating]))
    learned_labels = {manifest.tracks[position].label for position in learned}
    for label in manifest.classes:
        if label not in learned_labels:
            count = sum(track.label == label for track in manifest.tracks)
            raise UsageError(
                f"class {printable(label)}: none of its {count} tracks is in the folds that train "
                f"({', '.join(map(printable, to_train))}) without sharing a group with the test, so it could be tested "
                "and never learned; put another fold into split.train_folds, or leave the class out of the library"
            )
    if to_validate:
        training, validation = positions(np.isin(np.arange(len(fold)), learned)), positions(validating)
    else:
        training, validation = split_validation(manifest, units, learned, plan.validation, seed=seed)
    if not validation and to_validate:
        raise UsageError(
            f"every track of the folds that validate ({', '.join(map(printable, to_validate))}) shares a group or "
            "content with the test; name another fold in split.validation_folds, or leave it out"
        )
    if not validation:
        raise UsageError(
            "no group is left to validate with in the folds that train: at least one class needs two groups there; "
            "put another fold into split.train_folds"
        )
    partition = Partition(name="+".join(to_test), train=training, validation=validation, test=positions(test))
    return (partition,), [
        *notes,
        *validation_notes(manifest, [partition]),
        *_untested(manifest, partition),
        *_left_out(names, [*to_train, *to_validate], to_test, kept_out=int(train.sum()) - len(learned)),
    ]


def _validating_fold(manifest: DatasetManifest, to_train: list[str]) -> tuple[list[str], list[str]]:
    """Return the folds that train, and the last of them that can validate; none where a class would not be learned."""
    for name in reversed(to_train):
        rest = [each for each in to_train if each != name]
        learned = {track.label for track in manifest.tracks if track.fold in rest}
        validated = {track.label for track in manifest.tracks if track.fold == name}
        if learned >= set(manifest.classes) and validated:
            return rest, [name]
    return to_train, []


def _fold_roles(plan: SplitPlan, names: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Return the folds that train, test and validate; folds that are not named have the other role of the first two."""
    to_train, to_test, to_validate = (
        [str(name) for name in folds] for folds in (plan.train_folds, plan.test_folds, plan.validation_folds)
    )
    for key, folds in (("train_folds", to_train), ("test_folds", to_test), ("validation_folds", to_validate)):
        for name in folds:
            if name not in names:
                raise UsageError(
                    f"split.{key}: there is no fold {printable(name)}; there are {', '.join(map(printable, names))}"
                )
    to_train = to_train or [name for name in names if name not in {*to_test, *to_validate}]
    to_test = to_test or [name for name in names if name not in {*to_train, *to_validate}]
    if not to_train or not to_test:
        raise UsageError(
            f"split.train_folds and split.test_folds leave no fold to {'test' if to_train else 'train'} with; "
            f"there are {', '.join(map(printable, names))}"
        )
    return to_train, to_test, to_validate


def _untested(manifest: DatasetManifest, partition: Partition) -> list[str]:
    tested = {manifest.tracks[position].label for position in partition.test}
    without = [printable(label) for label in manifest.classes if label not in tested]
    return [f"not in the folds that test, so nothing is known of them: {', '.join(without)}"] if without else []


def _left_out(names: list[str], to_train: list[str], to_test: list[str], *, kept_out: int) -> list[str]:
    notes = []
    if kept_out:
        notes.append(
            f"{kept_out} tracks of the folds that train share a group or content with the test; they were kept out"
        )
    unused = [printable(name) for name in names if name not in {*to_train, *to_test}]
    if unused:
        notes.append(f"in neither training nor test, as the recipe says: fold {', '.join(unused)}")
    return notes


def _straddling(units: Int64, fold: Int64) -> int:
    """Return how many units reach over folds."""
    reach = np.unique(np.stack([units, fold]), axis=1)[0]
    return int(np.count_nonzero(np.bincount(reach) > 1))


def _natural(fold: str) -> tuple[int, int, str]:
    """Return a sort key that puts fold 10 after fold 9, and words after numbers."""
    return (0, int(fold), fold) if fold.isdecimal() else (1, 0, fold)


def _check_fold(manifest: DatasetManifest, partition: Partition) -> None:
    """Raise `UsageError` for a fold with a class that is not learned, or without validation."""
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
