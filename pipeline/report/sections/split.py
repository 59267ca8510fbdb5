"""The split in words, and the check that it keeps what it promises."""

from collections import Counter
from collections.abc import Callable, Sequence

from pipeline.learning.dataset.flaws import RowSides
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack, Partition, Split
from pipeline.plans.augmentation import AugmentPlan
from pipeline.report.view import Column, Section, Table, cut
from pipeline.report.words import count, counted, reason, within
from pipeline.text import printable

SIDES = ("train", "validation", "test")


def sides(partition: Partition) -> dict[str, tuple[int, ...]]:
    """Return the positions of each side of a partition, by name."""
    return {"train": partition.train, "validation": partition.validation, "test": partition.test}


def straddling(manifest: DatasetManifest, partition: Partition, key: Callable[[DatasetTrack], str | None]) -> int:
    """Return how many groups of tracks lie on more than one side; tracks with the same `key` are a group."""
    seen: dict[str, set[str]] = {}
    for side, positions in sides(partition).items():
        for position in positions:
            group = key(manifest.tracks[position])
            if group is not None:
                seen.setdefault(group, set()).add(side)
    return sum(len(where) > 1 for where in seen.values())


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
    augment: AugmentPlan | None,
    rows: RowSides | None,
) -> Section:
    """Return the section that tells how the tracks were parted, which were left out, which have altered copies.

    `rows` says how many rows are on each side, where single rows were parted.
    """
    words = [_how(manifest, split), *_checks(manifest, split, rows)]
    words += [f"Note: {printable(note)}" for note in split.notes]
    if augment is not None:
        words.append(_copies(manifest, augment))
    blocks = [_sizes(manifest, split, rows)]
    if manifest.excluded:
        left_out, note = cut([(within(track.path, libraries), reason(track.reason)) for track in manifest.excluded])
        blocks.append(
            Table(
                caption=f"Left out: {counted(len(manifest.excluded), 'track')}",
                columns=(Column(title="File", is_code=True), Column(title="Why", is_prose=True)),
                rows=left_out,
                note=note,
                is_folded=len(manifest.excluded) > 10,
            )
        )
    return Section(anchor="split", title="How the tracks were parted", words=tuple(words), blocks=tuple(blocks))


def _sizes(manifest: DatasetManifest, split: Split, rows: RowSides | None) -> Table:
    """Return the table of what is on each side: tracks, or rows where those were parted."""
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
    return tuple(Column(title=title, is_number=place > 0) for place, title in enumerate(titles))


def _checks(manifest: DatasetManifest, split: Split, rows: RowSides | None) -> list[str]:
    """Return what counting again, for this report, found; and what nobody told."""
    if split.strategy == "rows" and rows is not None and not rows.torn:
        return ["Each row is of a track of its own, so no track stands on both sides; groups of tracks may."]
    if split.strategy == "rows":
        torn = rows.torn if rows is not None else len(manifest.tracks)
        both = f"{counted(torn, 'track')} stand on several sides, with different rows on each"
        return [f"Segments of one track stand on both sides: {both}. The test score is no measure of unseen tracks."]
    partitions = split.partitions
    near = {
        position: str(number)
        for number, found in enumerate(split.duplicates)
        if found.kind == "near" and found.kept
        for position in found.tracks
    }
    place = {track.track_id: position for position, track in enumerate(manifest.tracks)}
    keys: tuple[tuple[str, Callable[[DatasetTrack], str | None]], ...] = (
        ("group", lambda track: track.group),
        ("set of identical files", lambda track: track.content_hash),
        ("set of near duplicates", lambda track: near.get(place[track.track_id])),
    )
    words = [
        _checked(what, sum(straddling(manifest, partition, key) for partition in partitions)) for what, key in keys
    ]
    if not any(track.group for track in manifest.tracks):
        words.append(
            "No groups were told, so each track counts as one of its own: songs of one artist or album, or clips of "
            "one recording, may lie on both sides. --groups tag:artist (or tag:album, csv, name:REGEX, folder:N) keeps "
            "them together."
        )
    return words


def _copies(manifest: DatasetManifest, augment: AugmentPlan) -> str:
    """Return how many altered copies there were to learn from, and how many should have been."""
    there, asked = manifest.copies(augment)
    told = f"{counted(there, 'altered copy', 'altered copies')} ({printable(str(augment))}) went with their tracks"
    missing = "" if there == asked else f" {count(asked - there)} of {count(asked)} are missing from the store."
    return f"{told}: learned from with them, and read for no score.{missing}"


def _how(manifest: DatasetManifest, split: Split) -> str:
    """Return the strategy as a reader who was not there needs it."""
    learned = f"{counted(len(manifest.tracks), 'track')} in {counted(split.groups, 'group')}"
    rounds, seed = split.rounds, f"Seed {split.seed}."
    if split.strategy == "rows":
        return (
            f"The rows of {learned} were dealt out at random, class by class, each row for itself, whatever track it "
            f"is of. The validation rows selected between trials; the test rows were read once, after every "
            f"choice was made. {seed}"
        )
    if split.strategy == "folds" and len(rounds) > 1:
        return (
            f"{learned} came with folds. Each of the {counted(len(rounds), 'fold')} was the test once, another fold "
            f"selected between trials, and the rest was trained on. Every fold stayed whole. {seed}"
        )
    if split.strategy == "folds":
        return (
            f"{learned} came with folds. Fold {printable(rounds[0].name).replace('+', ', ')} is the test, as the "
            "recipe says; of the folds that train, whole groups selected between trials. The test tracks were read "
            f"once, after every choice was made. {seed}"
        )
    if split.strategy in {"kfold", "nested"}:
        how = (
            f"{len(split.partitions) // len(rounds)} inner folds of the rest selected between trials, anew for each"
            if split.strategy == "nested"
            else "whole groups of the rest selected between trials"
        )
        return (
            f"{learned} were dealt out at random into {counted(len(rounds), 'fold')} of whole groups, with the classes "
            f"kept in proportion. Each fold was the test once; {how}. {seed}"
        )
    return (
        f"{learned} were dealt out at random, group by group, with the classes kept in proportion. Tracks of one "
        f"group always lie on the same side. The validation tracks selected between trials; the test tracks were "
        f"read once, after every choice was made. {seed}"
    )


def _checked(what: str, broken: int) -> str:
    """Return what counting again, for this report, found."""
    if broken:
        return (
            f"Warning: {counted(broken, what, f'{what}s')} found on more than one side. The test scores are too good."
        )
    return f"Counted again for this report: no {what} lies on more than one side."


def _groups(manifest: DatasetManifest, positions: tuple[int, ...]) -> int:
    """Return how many groups some tracks make up; a track without a group is one of its own."""
    return len({manifest.tracks[p].group or f"\0{manifest.tracks[p].track_id}" for p in positions})
