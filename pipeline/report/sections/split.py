"""The section on the split: its description, and checks that groups stayed whole."""

from collections import Counter
from collections.abc import Callable, Sequence

from pipeline.learning.dataset.flaws import RowSides
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack, Partition, Split
from pipeline.plans.augmentation import AugmentPlan
from pipeline.plans.recipe import Recipe
from pipeline.report.view import Column, Section, Table, first_rows
from pipeline.report.words import count, quantity, reason, relative_path
from pipeline.text import printable

SIDES = ("train", "validation", "test")


def sides(partition: Partition) -> dict[str, tuple[int, ...]]:
    """Return the positions of each side of a partition, by name."""
    return {"train": partition.train, "validation": partition.validation, "test": partition.test}


def groups_on_several_sides(
    manifest: DatasetManifest, partition: Partition, key: Callable[[DatasetTrack], str | None]
) -> int:
    """Return how many groups of tracks are on more than one side; tracks with the same `key` are a group."""
    sides_of_group: dict[str, set[str]] = {}
    for side, positions in sides(partition).items():
        for position in positions:
            group = key(manifest.tracks[position])
            if group is not None:
                sides_of_group.setdefault(group, set()).add(side)
    return sum(len(where) > 1 for where in sides_of_group.values())


def tracks_by_side(manifest: DatasetManifest, partition: Partition) -> dict[str, dict[str, int]]:
    """Return the number of tracks per side and label."""
    return {
        side: dict(Counter(manifest.tracks[position].label for position in positions))
        for side, positions in sides(partition).items()
    }


def split_section(
    manifest: DatasetManifest,
    split: Split,
    libraries: tuple[str, ...],
    recipe: Recipe,
    rows: RowSides | None,
) -> Section:
    """Return the section on the split, the tracks that were left out, and the altered copies.

    `rows` counts the rows on each side, where single rows were split.
    """
    words = [_how(manifest, split), *_checks(manifest, split, rows)]
    words += [f"Note: {printable(note)}" for note in split.notes]
    if recipe.augment is not None:
        words.append(_copies(manifest, recipe.augment, split, refit=recipe.search.refit))
    blocks = [_sizes(manifest, split, rows)]
    if manifest.excluded:
        left_out, note = first_rows(
            [(relative_path(track.path, libraries), reason(track.reason)) for track in manifest.excluded]
        )
        blocks.append(
            Table(
                caption=f"Left out: {quantity(len(manifest.excluded), 'track')}",
                columns=(Column(title="File", is_code=True), Column(title="Why", is_prose=True)),
                rows=left_out,
                note=note,
                is_folded=len(manifest.excluded) > 10,
            )
        )
    return Section(anchor="split", title="How the tracks were parted", words=tuple(words), blocks=tuple(blocks))


def _sizes(manifest: DatasetManifest, split: Split, rows: RowSides | None) -> Table:
    """Return the table of what is on each side: tracks, or rows where those were split."""
    titles = ("Partition", *(side.capitalize() for side in SIDES))
    if rows is not None:
        cells = (printable(split.partitions[0].name), *map(count, (rows.train, rows.validation, rows.test)))
        return Table(caption="Rows on each side", columns=_numbered(titles), rows=(cells,))
    return Table(
        caption="Tracks on each side",
        columns=_numbered((*titles, "Groups in test")),
        rows=tuple(
            (
                printable(partition.name),
                *(count(len(positions)) for positions in sides(partition).values()),
                count(_groups(manifest, partition.test)),
            )
            for partition in split.partitions
        ),
    )


def _numbered(titles: Sequence[str]) -> tuple[Column, ...]:
    """Return columns of which the first holds names, the others numbers."""
    return tuple(Column(title=title, is_number=number > 0) for number, title in enumerate(titles))


def _checks(manifest: DatasetManifest, split: Split, rows: RowSides | None) -> list[str]:
    """Return the results of counting again for this report, and a note where there are no groups."""
    if split.strategy == "rows" and rows is not None and not rows.torn:
        return ["Each row is of a track of its own, so no track stands on both sides; groups of tracks may."]
    if split.strategy == "rows":
        torn = rows.torn if rows is not None else len(manifest.tracks)
        both = f"{quantity(torn, 'track')} stand on several sides, with different rows on each"
        return [f"Segments of one track stand on both sides: {both}. The test score is no measure of unseen tracks."]
    partitions = split.partitions
    near = {
        position: str(number)
        for number, duplicate_set in enumerate(split.duplicates)
        if duplicate_set.kind == "near" and duplicate_set.kept
        for position in duplicate_set.tracks
    }
    positions = {track.track_id: position for position, track in enumerate(manifest.tracks)}
    keys: tuple[tuple[str, Callable[[DatasetTrack], str | None]], ...] = (
        ("group", lambda track: track.group),
        ("set of files with the same sound", lambda track: track.content_hash),
        ("set of near duplicates", lambda track: near.get(positions[track.track_id])),
    )
    words = [
        _checked(what, sum(groups_on_several_sides(manifest, partition, key) for partition in partitions))
        for what, key in keys
    ]
    if not any(track.group for track in manifest.tracks):
        words.append(
            "No groups were told, so each track counts as one of its own: songs of one artist or album, or clips of "
            "one recording, may lie on both sides. --groups tag:artist (or tag:album, csv, name:REGEX, folder:N) keeps "
            "them together."
        )
    return words


def _copies(manifest: DatasetManifest, augment: AugmentPlan, split: Split, *, refit: bool) -> str:
    """Return how many altered copies were learned from, and how many the plan makes."""
    present, planned = manifest.copies(augment)
    words = f"{quantity(present, 'altered copy', 'altered copies')} ({printable(str(augment))}) went with their tracks"
    missing = (
        "" if present == planned else f" {count(planned - present)} of {count(planned)} are missing from the store."
    )
    learned, _ = manifest.copies(augment, split.learned(refit=refit))
    read = "" if learned == present else f" {count(learned)} of them belong to tracks that were learned from."
    return f"{words}: learned from with them, and read for no score.{read}{missing}"


def _how(manifest: DatasetManifest, split: Split) -> str:
    """Return the strategy of the split in words."""
    learned = f"{quantity(len(manifest.tracks), 'track')} in {quantity(split.groups, 'group')}"
    rounds, seed = split.rounds, f"Seed {split.seed}."
    if split.strategy == "rows":
        return (
            f"The rows of {learned} were dealt out at random, class by class, each row for itself, whatever track it "
            f"is of. The validation rows selected between trials; the test rows were read once, after every "
            f"choice was made. {seed}"
        )
    if split.strategy == "folds" and len(rounds) > 1:
        return (
            f"{learned} came with folds. Each of the {quantity(len(rounds), 'fold')} was the test once, another fold "
            f"selected between trials, and the rest was trained on. Every fold stayed whole. {seed}"
        )
    if split.strategy == "folds":
        selected = _folds_of(manifest, split.partitions[0].validation) - _folds_of(manifest, split.partitions[0].train)
        how = (
            f"fold {printable(', '.join(sorted(selected)))} selected between trials, the others trained"
            if selected
            else "of the folds that train, whole groups selected between trials"
        )
        return (
            f"{learned} came with folds. Fold {printable(rounds[0].name).replace('+', ', ')} is the test, as the "
            f"recipe says; {how}. The test tracks were read once, after every choice was made. {seed}"
        )
    if split.strategy in {"kfold", "nested"}:
        how = (
            f"{len(split.partitions) // len(rounds)} inner folds of the rest selected between trials, anew for each"
            if split.strategy == "nested"
            else "whole groups of the rest selected between trials"
        )
        return (
            f"{learned} were dealt out at random into {quantity(len(rounds), 'fold')} of whole groups, with the "
            f"classes kept in proportion. Each fold was the test once; {how}. {seed}"
        )
    return (
        f"{learned} were dealt out at random, group by group, with the classes kept in proportion. Tracks of one "
        f"group always lie on the same side. The validation tracks selected between trials; the test tracks were "
        f"read once, after every choice was made. {seed}"
    )


def _folds_of(manifest: DatasetManifest, positions: tuple[int, ...]) -> set[str]:
    """Return the folds of some tracks."""
    return {fold for position in positions if (fold := manifest.tracks[position].fold) is not None}


def _checked(what: str, broken: int) -> str:
    """Return the result of counting again for this report."""
    if broken:
        return (
            f"Warning: {quantity(broken, what, f'{what}s')} found on more than one side. The test scores are too good."
        )
    return f"Counted again for this report: no {what} lies on more than one side."


def _groups(manifest: DatasetManifest, positions: tuple[int, ...]) -> int:
    """Return how many groups some tracks make up; a track without a group is one of its own."""
    return len({manifest.tracks[p].group or f"\0{manifest.tracks[p].track_id}" for p in positions})
