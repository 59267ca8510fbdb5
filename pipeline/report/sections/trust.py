"""The parts of a report that tell how far its scores can be trusted: intervals, the leakage sentinel, duplicates."""

from pipeline.learning.dataset.flaws import DuplicateSet
from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.splits.duplicates import fingerprint_of
from pipeline.learning.splits.fingerprints import FINGERPRINTS
from pipeline.learning.study.findings import Sentinel, SentinelScore
from pipeline.learning.study.results import EvaluationReport
from pipeline.report.view import Block, Column, Section, Table, cut
from pipeline.report.words import between, count, counted, listed, percent, points, within
from pipeline.text import MISSING, printable

MOST_FILES = 6
"""Of a set of duplicates that are named."""


SEGMENTS = "A track is labelled by the mean of what is said of its segments: the segments alone are wrong more often."


def scores_table(evaluation: EvaluationReport) -> Table:
    """Return all scores with their intervals: tracks, their segments, and the validation that chose."""
    of = evaluation.scored
    scored = [
        (f"test, {of}", evaluation.test),
        *((f"test, segments of {printable(name)}", scores) for name, scores in evaluation.segments.items()),
        (f"validation, {of}", evaluation.validation),
    ]
    return Table(
        caption="Scores with their 95% intervals, by drawing whole groups again",
        columns=(
            Column(title="Of"),
            *(
                Column(title=title, is_number=True)
                for title in ("Accuracy", "95% interval", "Macro F1", "95% interval", "Number", "Groups")
            ),
        ),
        rows=tuple(
            (
                name,
                percent(scores.accuracy),
                between(scores.accuracy_interval),
                percent(scores.macro_f1),
                between(scores.macro_f1_interval),
                count(scores.n),
                count(scores.accuracy_interval.units) if scores.accuracy_interval else MISSING,
            )
            for name, scores in scored
        ),
    )


def leakage_section(
    evaluation: EvaluationReport, manifest: DatasetManifest | None, split: Split | None
) -> Section | None:
    """Return the section that sets a random split of rows beside whole groups; nothing without a sentinel."""
    told = evaluation.sentinel
    if told is None:
        return None
    words = [_about(told), *_verdict(told, evaluation, split)]
    if manifest is not None and told.rows == told.tracks and not any(track.group for track in manifest.tracks):
        words.append(
            "Every track has one row here and no groups were told, so both ways deal out single tracks; what was not "
            "told about tracks that belong together shows in the parting of neighbours."
        )
    blocks: list[Block] = []
    if told.random is not None:
        blocks.append(_partings(told))
    return Section(
        anchor="leakage", title="What a random split would have said", words=tuple(words), blocks=tuple(blocks)
    )


def _about(told: Sentinel) -> str:
    """Return what was fitted and on what."""
    who = (
        f"The model that was chosen ({printable(told.family)})"
        if told.is_winner
        else f"A quick model that stands in for the chosen one ({printable(told.family)})"
    )
    return (
        f"{who} was fitted again after every choice was made, on {counted(told.rows, 'row')} of "
        f"{printable(told.features)} from {counted(told.tracks, 'track')} in {counted(told.units, 'group')}, parted "
        f"into {count(told.folds)} folds in three ways: the same {counted(told.tested, 'row')} tested, "
        f"{count(told.learned_from)} learned from each time. Nothing was chosen by it."
    )


def _verdict(told: Sentinel, evaluation: EvaluationReport, split: Split | None) -> list[str]:
    """Return the gap in words, and what cannot be said."""
    words = []
    if told.reason:
        words.append(f"{told.reason[0].upper()}{printable(told.reason[1:])}.")
    if told.untold:
        named = listed([printable(label) for label in told.untold[:MOST_FILES]])
        more = f" and {len(told.untold) - MOST_FILES} more" if len(told.untold) > MOST_FILES else ""
        words.append(
            f"Of {named}{more} all tracks are one group: nobody can say how the model would do on unseen ones of "
            f"{'it' if len(told.untold) == 1 else 'them'}."
        )
    if told.gap is not None and told.random is not None and told.honest is not None:
        sure = told.gap.interval is not None and told.gap.interval.low > 0
        words.append(
            f"Gap: {points(told.gap.gap)}"
            + (f" (95% interval {_range(told)})" if told.gap.interval else "")
            + (
                ". A random split of rows would have flattered the model by so much."
                if sure
                else ". That is no more than chance makes: a random split would have said much the same."
            )
        )
    if told.hidden is not None and told.hidden.interval is not None and told.hidden.interval.low > 0:
        words.append(
            f"Tracks next to each other in the library are more alike than the groups say: with neighbours kept "
            f"together the accuracy is {percent(told.hidden.gap)} lower. If they belong together (an album, a "
            "session), say so with --groups."
        )
    if split is not None and split.strategy == "rows":
        words.append(
            f"The score of this report, {percent(evaluation.test.accuracy)}, is one of a random split of rows."
        )
    return words


def _range(told: Sentinel) -> str:
    interval = told.gap.interval if told.gap else None
    return f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}" if interval else MISSING


def _partings(told: Sentinel) -> Table:
    """Return the accuracies of the partings."""
    mixed = f"{'tracks of one group' if told.rows == told.tracks else 'rows of one track'} stand on both sides"
    rows: tuple[tuple[str, str, SentinelScore | None], ...] = (
        ("single rows at random", mixed, told.random),
        (
            "neighbours together",
            "tracks next to each other in the library; where a class has few, stretches of time",
            told.neighbours,
        ),
        ("whole groups together", "what this project calls a score", told.honest),
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
            (name, what, percent(score.accuracy), between(score.interval))
            if score is not None
            else (name, what, MISSING, MISSING)
            for name, what, score in rows
        ),
    )


def duplicates_section(manifest: DatasetManifest, split: Split, libraries: tuple[str, ...]) -> Section:
    """Return the section on tracks that are one recording: those of equal content, and those that sound the same."""
    fingerprint = fingerprint_of(manifest)
    same = [found for found in split.duplicates if found.kind == "same"]
    near = [found for found in split.duplicates if found.kind == "near"]
    words = []
    for sets, what in ((same, "of equal content"), (near, "that sound the same")):
        if sets:
            tracks = sum(len(found.tracks) for found in sets)
            words.append(f"{counted(tracks, 'track')} {what}, in {counted(len(sets), 'set')}.")
    if not same:
        words.append("No two files have the same content.")
    if fingerprint is None:
        words.append(
            f"Near duplicates could not be looked for: of the families only {listed(list(FINGERPRINTS))} tell one "
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
    torn = [found for found in split.duplicates if not found.kept]
    if torn:
        words.append(f"Warning: {counted(len(torn), 'set lies', 'sets lie')} on several sides of the split; see below.")
    shown, note = cut([_row(manifest, found, libraries) for found in sorted(split.duplicates, key=_torn_first)])
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
        rows=shown,
        note=note,
        is_folded=len(split.duplicates) > 10,
    )
    blocks = (table,) if split.duplicates else ()
    return Section(anchor="duplicates", title="Duplicates", words=tuple(words), blocks=blocks)


def _torn_first(found: DuplicateSet) -> tuple[bool, bool, tuple[int, ...]]:
    return found.kept, found.kind == "same", found.tracks


def _row(manifest: DatasetManifest, found: DuplicateSet, libraries: tuple[str, ...]) -> tuple[str, ...]:
    tracks = [manifest.tracks[position] for position in found.tracks]
    files = [within(track.path, libraries) for track in tracks[:MOST_FILES]]
    if len(tracks) > MOST_FILES:
        files.append(f"and {len(tracks) - MOST_FILES} more")
    labels = sorted({track.label for track in tracks})
    return (
        ", ".join(files),
        count(len(tracks)),
        ", ".join(printable(label) for label in labels),
        "same content" if found.kind == "same" else "near",
        f"{found.distance:.3f}" if found.kind == "near" else "0",
        "yes" if found.kept else "no",
    )
