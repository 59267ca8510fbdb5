"""The sections on how far scores can be trusted: intervals, the leakage sentinel, duplicates."""

from pipeline.learning.dataset.flaws import DuplicateSet
from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.splits.duplicates import fingerprint_of
from pipeline.learning.splits.fingerprints import FINGERPRINTS
from pipeline.learning.study.findings import Sentinel, SentinelScore
from pipeline.learning.study.results import EvaluationReport
from pipeline.report.view import Block, Column, Section, Table, first_rows
from pipeline.report.words import bounds, count, enumeration, percent, points, quantity, relative_path
from pipeline.text import MISSING, printable

MOST_FILES = 6
"""Of a set of duplicates, at most so many are named."""


SEGMENTS = "A track is labelled by the mean of what is said of its segments: the segments alone are wrong more often."


def scores_table(evaluation: EvaluationReport) -> Table:
    """Return all scores with their intervals: tracks, their segments, and the validation that chose."""
    unit = evaluation.scored
    scored = [
        (f"test, {unit}", evaluation.test),
        *((f"test, segments of {printable(name)}", scores) for name, scores in evaluation.segments.items()),
        (f"validation, {unit}", evaluation.validation),
    ]
    return Table(
        caption="Scores with their 95% intervals, over whole groups; one group has none",
        columns=(
            Column(title="Of"),
            *(
                Column(title=title, is_number=True)
                for title in ("Accuracy", "95% interval", "Macro F1", "95% interval", "Top 2", "Number", "Groups")
            ),
        ),
        rows=tuple(
            (
                name,
                percent(scores.accuracy),
                bounds(scores.accuracy_interval),
                percent(scores.macro_f1),
                bounds(scores.macro_f1_interval),
                percent(scores.top2) if scores.top2 is not None else MISSING,
                count(scores.n),
                count(scores.accuracy_interval.units) if scores.accuracy_interval else MISSING,
            )
            for name, scores in scored
        ),
    )


def leakage_section(
    evaluation: EvaluationReport, manifest: DatasetManifest | None, split: Split | None
) -> Section | None:
    """Return the section that compares a random split of rows with whole groups; None without a sentinel."""
    sentinel = evaluation.sentinel
    if sentinel is None:
        return None
    words = [_about(sentinel), *_verdict(sentinel, evaluation, split)]
    if not sentinel.knows_groups:
        words.append(
            "Every track has one row here and no groups are known, so both ways deal out single tracks: how the model "
            "does on another song, artist or source cannot be told. `--groups` says what belongs together; what "
            "neighbours have in common shows in the second way."
        )
    blocks: list[Block] = []
    if sentinel.random is not None:
        blocks.append(_splits_table(sentinel))
    return Section(
        anchor="leakage", title="What a random split would have said", words=tuple(words), blocks=tuple(blocks)
    )


def _about(sentinel: Sentinel) -> str:
    """Return the model that was fitted, and its rows, in words."""
    who = (
        f"The model that was chosen ({printable(sentinel.family)})"
        if sentinel.is_winner
        else f"A quick model that stands in for the chosen one ({printable(sentinel.family)})"
    )
    return (
        f"{who} was fitted again after every choice was made, on {quantity(sentinel.rows, 'row')} of "
        f"{printable(sentinel.features)} from {quantity(sentinel.tracks, 'track')} in "
        f"{quantity(sentinel.units, 'group')}, parted into {count(sentinel.folds)} folds in three ways: the same "
        f"{quantity(sentinel.tested, 'row')} tested, {count(sentinel.learned_from)} learned from each time. "
        "Nothing was chosen by it."
    )


def _verdict(sentinel: Sentinel, evaluation: EvaluationReport, split: Split | None) -> list[str]:
    """Return the gap in words, and what is unknown."""
    words = []
    if sentinel.reason:
        words.append(f"{sentinel.reason[0].upper()}{printable(sentinel.reason[1:])}.")
    if sentinel.untold:
        named = enumeration([printable(label) for label in sentinel.untold[:MOST_FILES]])
        more = f" and {len(sentinel.untold) - MOST_FILES} more" if len(sentinel.untold) > MOST_FILES else ""
        words.append(
            f"Of {named}{more} all tracks are one group: nobody can say how the model would do on unseen ones of "
            f"{'it' if len(sentinel.untold) == 1 else 'them'}."
        )
    if (
        sentinel.gap is not None
        and sentinel.random is not None
        and sentinel.honest is not None
        and sentinel.knows_groups
    ):
        sure = sentinel.gap.interval is not None and sentinel.gap.interval.low > 0
        words.append(
            f"Gap: {points(sentinel.gap.gap)}"
            + (f" (95% interval {_range(sentinel)})" if sentinel.gap.interval else "")
            + (
                ". A random split of rows would have flattered the model by so much."
                if sure
                else ". That is no more than chance makes: a random split would have said much the same."
            )
        )
    if sentinel.hidden is not None and sentinel.hidden.interval is not None and sentinel.hidden.interval.low > 0:
        words.append(
            f"Tracks next to each other in the library are more alike than the groups say: with neighbours kept "
            f"together the accuracy is {percent(sentinel.hidden.gap)} lower. If they belong together (an album, a "
            "session), say so with --groups."
        )
    if split is not None and split.strategy == "rows":
        words.append(
            f"The score of this report, {percent(evaluation.test.accuracy)}, is one of a random split of rows."
        )
    return words


def _range(sentinel: Sentinel) -> str:
    interval = sentinel.gap.interval if sentinel.gap else None
    return f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}" if interval else MISSING


def _splits_table(sentinel: Sentinel) -> Table:
    """Return the accuracies of the splits."""
    mixed = f"{'tracks of one group' if sentinel.rows == sentinel.tracks else 'rows of one track'} stand on both sides"
    rows: tuple[tuple[str, str, SentinelScore | None], ...] = (
        ("single rows at random", mixed, sentinel.random),
        (
            "neighbours together",
            "tracks next to each other in the library; where a class has few, stretches of time",
            sentinel.neighbours,
        ),
        ("whole groups together", "what this project calls a score", sentinel.honest)
        if sentinel.knows_groups
        else ("whole groups together", "no groups are known: cannot be told", None),
    )
    return Table(
        caption="The same rows, parted in three ways",
        columns=(
            Column(title="Parting"),
            Column(title="What it does", is_prose=True),
            Column(title="Accuracy of rows", is_number=True),
            Column(title="95% interval", is_number=True),
        ),
        rows=tuple(
            (name, what, percent(score.accuracy), bounds(score.interval))
            if score is not None
            else (name, what, MISSING, MISSING)
            for name, what, score in rows
        ),
    )


def duplicates_section(manifest: DatasetManifest, split: Split, libraries: tuple[str, ...]) -> Section:
    """Return the section on tracks that are one recording: those of equal content, and those that sound the same."""
    fingerprint = fingerprint_of(manifest)
    same = [duplicates for duplicates in split.duplicates if duplicates.kind == "same"]
    near = [duplicates for duplicates in split.duplicates if duplicates.kind == "near"]
    words = []
    for sets, what in ((same, "of equal content"), (near, "that sound the same")):
        if sets:
            tracks = sum(len(duplicates.tracks) for duplicates in sets)
            words.append(f"{quantity(tracks, 'track')} {what}, in {quantity(len(sets), 'set')}.")
    if not same:
        words.append("No two files have the same content.")
    if fingerprint is None:
        words.append(
            f"Near duplicates could not be looked for: of the families only {enumeration(list(FINGERPRINTS))} tell one "
            "recording from another. `features` in the recipe adds one."
        )
    elif split.strategy != "rows" and not near:
        words.append(f"No near duplicates were found by {fingerprint.family}, or they were not to be looked for.")
    if near and fingerprint is not None:
        words.append(
            f"Near: closer than {fingerprint.limit:g} standard deviations in the columns of {fingerprint.family}. That "
            "finds what was encoded again, resampled, trimmed by a moment or made louder; not another performance, a "
            "part of a longer file, or a copy that lost its treble."
        )
    torn = [duplicates for duplicates in split.duplicates if not duplicates.kept]
    if torn:
        words.append(
            f"Warning: {quantity(len(torn), 'set lies', 'sets lie')} on several sides of the split; see below."
        )
    listed, note = first_rows(
        [_row(manifest, duplicates, libraries) for duplicates in sorted(split.duplicates, key=_torn_first)]
    )
    table = Table(
        caption="Tracks that are one recording",
        columns=(
            Column(title="Files", is_code=True),
            Column(title="Tracks", is_number=True),
            Column(title="Labels", is_prose=True),
            Column(title="Kind"),
            Column(title="Distance", is_number=True),
            Column(title="Kept together"),
        ),
        rows=listed,
        note=note,
        is_folded=len(split.duplicates) > 10,
    )
    blocks = (table,) if split.duplicates else ()
    return Section(anchor="duplicates", title="Duplicates", words=tuple(words), blocks=blocks)


def _torn_first(duplicates: DuplicateSet) -> tuple[bool, bool, tuple[int, ...]]:
    return duplicates.kept, duplicates.kind == "same", duplicates.tracks


def _row(manifest: DatasetManifest, duplicates: DuplicateSet, libraries: tuple[str, ...]) -> tuple[str, ...]:
    tracks = [manifest.tracks[position] for position in duplicates.tracks]
    files = [relative_path(track.path, libraries) for track in tracks[:MOST_FILES]]
    if len(tracks) > MOST_FILES:
        files.append(f"and {len(tracks) - MOST_FILES} more")
    labels = sorted({track.label for track in tracks})
    return (
        ", ".join(files),
        count(len(tracks)),
        ", ".join(printable(label) for label in labels),
        "same content" if duplicates.kind == "same" else "near",
        f"{duplicates.distance:.3f}" if duplicates.kind == "near" else "0",
        "yes" if duplicates.kept else "no",
    )
