"""The counts of a scan, and whether a classifier could be trained on its files."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from pipeline.errors import UsageError
from pipeline.library import imported
from pipeline.library.cue.albums import SheetCounts
from pipeline.library.folders.file_names import WITHOUT_EXTENSION, extension_of
from pipeline.library.folders.left_out import NOTHING, LeftOut
from pipeline.library.labels import check_labelled, parse_labels
from pipeline.library.tables.join import JoinTally, TableJoin, describe_join
from pipeline.library.tables.spellings import path_parts
from pipeline.library.tables.table import MetadataTable
from pipeline.library.tables.text import first_bad_byte, western
from pipeline.library.tags.values import LONGEST, MOST
from pipeline.library.tracks import ScannedTrack
from pipeline.library.vocabulary.tally import LabelFindings, LabelTally, describe_folding, describe_pair, short
from pipeline.plans.run import RunPlan
from pipeline.plans.vocabulary import Vocabulary
from pipeline.text import printable
from pipeline.wire import Value


class ScanSummary(Value, frozen=True, kw_only=True):
    """The counts of a scan."""

    files: int
    bytes: int
    shards: int
    labels: dict[str, int]
    """Files per label."""
    unlabelled: int = 0
    ungrouped: int = 0
    """Files without a group, where groups were requested."""
    unfolded: int = 0
    """Files without a fold, where folds were requested."""
    example: str = ""
    """One file without a label."""
    unreadable: tuple[str, ...] = ()
    """Folders and files that could not be read, with the reason."""
    gone: int = 0
    """Tracks that an earlier scan saw and this one marked deleted."""
    formats: dict[str, int] = {}
    """Files per extension."""
    tables: tuple[TableJoin, ...] = ()
    """What the tables of labels, groups and folds have in common with the files."""
    folds: dict[str, int] = {}
    """Labelled files per fold, where folds were requested."""
    notes: tuple[str, ...] = ()
    """What else is to be said of the library, a line each."""
    unlabelled_formats: dict[str, int] = {}
    """Files without a label per extension."""
    cut_tags: int = 0
    """Files with values that were cut, or tags that were not read, as they were too long."""
    left_out: LeftOut = NOTHING
    """What was left out by its name, its content or a pattern."""
    sheets: SheetCounts = SheetCounts()
    """What was found of cue sheets."""
    label_findings: LabelFindings = LabelFindings()
    """Labels that are nearly the same or look like several, and what the vocabulary folded."""

    @property
    def observations(self) -> tuple[str, ...]:
        """What is odd in the tables and the library, in words, a line each."""
        return (*(words for table in self.tables for words in describe_join(table)), *self.notes)


def describe_cut_tags(files: int) -> str:
    """Return that so many files have tags that are too long, and what of them counts."""
    have = "file has" if files == 1 else "files have"
    return (
        f"{files:,} {have} tags that are too long or cannot be read: of a value the first {LONGEST} characters count, "
        f"of a field {MOST} values; shorten them in a tag editor"
    )


def _check_classes(plan: RunPlan, summary: ScanSummary) -> None:
    """Raise `UsageError` for classes with too few tracks, whatever their groups, for the split of the recipe."""
    split, labels = plan.recipe.split, f"labels {printable(plan.labels)}"
    lonely = sorted(label for label, files in summary.labels.items() if files == 1)
    if lonely:
        raise UsageError(
            f"{labels}: {', '.join(repr(short(label)) for label in lonely[:5])} has one track only; "
            "a class needs at least two, one to learn from and one to test on: add tracks or leave the class out"
            f"{_near_words(summary, lonely)}"
        )
    if max(summary.labels.values()) == 2:
        raise UsageError(
            f"{labels}: no class has more than two tracks, and at least one needs three "
            "(to learn, validate and test): add tracks"
        )
    smallest = min(summary.labels, key=lambda label: (summary.labels[label], label))
    if split.strategy in {"kfold", "nested"} and summary.labels[smallest] < split.k:
        files = summary.labels[smallest]
        raise UsageError(
            f"{labels}: {smallest!r} has {files} tracks, too few for {split.k} folds: split.k = {files} is possible, "
            "or add tracks"
        )


def _check_folds(plan: RunPlan, summary: ScanSummary) -> None:
    """Raise `UsageError` for a fold that the split of the recipe names and no labelled file has."""
    split = plan.recipe.split
    if split.strategy not in {"auto", "folds"}:
        return
    if not summary.folds and (split.train_folds or split.test_folds):
        raise UsageError(
            f"recipe {printable(plan.recipe.name)}: its split names folds, and no file has one; say where they are "
            "with --folds or in a table (--labels csv:FILE), or leave train_folds and test_folds out of the recipe"
        )
    if not summary.folds:
        return
    for key in ("train_folds", "validation_folds", "test_folds"):
        for fold in map(str, getattr(split, key)):
            if fold not in summary.folds:
                raise UsageError(
                    f"split.{key}: no labelled file is of fold {printable(fold)}; there are "
                    f"{', '.join(map(printable, sorted(summary.folds)))}; add its files, or set split.strategy to "
                    "grouped in the recipe"
                )


def _folded_words(summary: ScanSummary) -> str:
    folded = summary.label_findings.folded
    return f" ({describe_folding(folded)})" if folded is not None and folded.labels else ""


def _near_words(summary: ScanSummary, labels: Sequence[str]) -> str:
    """Return which other label one of some labels may have been meant to be, and the mend."""
    for near in summary.label_findings.near_equal:
        if not near.labels.keys().isdisjoint(labels):
            return f"; {describe_pair(near)}, and a --vocabulary makes them one"
    return ""


def check_labels(plan: RunPlan, summary: ScanSummary) -> None:
    """Refuse, before any work, labels that no classifier could be trained on, if the run learns.

    Raises `UsageError` naming the rule or the class, and the mend.
    """
    for option, without in (("groups", summary.ungrouped), ("folds", summary.unfolded)):
        if summary.files and without == summary.files:
            raise UsageError(
                f"{option} {printable(getattr(plan, option))}: found for none of {summary.files:,} files; "
                f"mend the rule given with --{option}, or leave it out"
            )
    if not plan.learn:
        return
    if not imported.is_imported(plan.libraries) and not summary.labels:
        folded = summary.label_findings.folded
        if folded is not None and folded.dropped:
            raise UsageError(
                f"vocabulary {printable(plan.rules.vocabulary or 'of the recipe')}: drops the labels of all "
                f"{folded.unlabelled:,} files that have one; mend its ignore or unknown"
            )
        source = parse_labels(plan.labels, libraries=plan.libraries)
        check_labelled(source, scanned=summary.files, labelled=0, example=summary.example)
    if len(summary.labels) == 1:
        raise UsageError(
            f"labels {plan.labels}: all {summary.files} files have the one label {next(iter(summary.labels))!r}; "
            f"a classifier needs at least two, so add folders or give another --labels{_folded_words(summary)}"
        )
    if plan.recipe.split.strategy != "rows":  # which splits the rows within tracks: one track is enough
        _check_classes(plan, summary)
    _check_folds(plan, summary)


class ScanTally:
    """Counts the files of a scan."""

    def __init__(
        self,
        *,
        grouped: bool,
        folded: bool,
        tables: Sequence[MetadataTable] = (),
        faults: Mapping[str, str] | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        """Count against some tables, and watch for files that are known to be faulty, by name without extension."""
        self.files = 0
        self._faults = faults or {}
        self._foreign = 0
        self._foreign_example = ""
        self._faulty: defaultdict[str, list[str]] = defaultdict(list)
        self._joins = [JoinTally(table) for table in tables]
        self._required = {"group": grouped, "fold": folded}
        self._bytes = 0
        self._labels = LabelTally(vocabulary)
        self._folds: Counter[str] = Counter()
        self._formats: Counter[str] = Counter()
        self._unlabelled_formats: Counter[str] = Counter()
        self._without: Counter[str] = Counter()
        self._example = ""
        self._album = ""

    def add(self, track: ScannedTrack) -> None:
        """Count one file, or one track of an album in one; those of an album come one after the other."""
        self.files += 1
        file_path = track.file_path
        if track.part is None or file_path != self._album:
            self._bytes += track.stamp.size_bytes
        self._album = file_path if track.part is not None else ""
        self._formats[printable(extension_of(file_path)) or WITHOUT_EXTENSION] += 1
        self._without["group"] += self._required["group"] and track.group is None
        self._without["fold"] += self._required["fold"] and track.fold is None
        for join in self._joins:
            join.add(track.file_path)
        if self._faults and (fault := self._faults.get(stem := _stem(track.file_path))):
            self._faulty[fault].append(stem)
        if _has_foreign_label(track):
            self._foreign += 1
            self._foreign_example = self._foreign_example or track.path
        if track.label is None:
            self._without["label"] += 1
            self._unlabelled_formats[printable(extension_of(track.file_path)) or WITHOUT_EXTENSION] += 1
            self._example = self._example or track.file_path
        elif track.fold is not None:
            self._folds[track.fold] += 1
        self._labels.add(track)

    def summary(self, shards: int, unreadable: tuple[str, ...], left_out: LeftOut = NOTHING) -> ScanSummary:
        """Return the counts."""
        return ScanSummary(
            files=self.files,
            bytes=self._bytes,
            shards=shards,
            labels=dict(sorted(self._labels.first.items())),
            unlabelled=self._without["label"],
            ungrouped=self._without["group"],
            unfolded=self._without["fold"],
            example=self._example,
            unreadable=unreadable,
            formats=dict(sorted(self._formats.items())),
            folds=dict(self._folds),
            tables=tuple(join.join() for join in self._joins),
            notes=(
                *(f"known fault: {', '.join(stems)} {fault}" for fault, stems in self._faulty.items()),
                *_foreign_notes(self._foreign, self._foreign_example),
            ),
            unlabelled_formats=dict(sorted(self._unlabelled_formats.items())),
            left_out=left_out,
            label_findings=self._labels.findings(),
        )


def _stem(path: str) -> str:
    """Return a file's name without its extension."""
    return path.rpartition("/")[2].rpartition(".")[0]


def _has_foreign_label(track: ScannedTrack) -> bool:
    """Return whether a track's label is of a name, of its file or a folder, whose bytes are no UTF-8."""
    if track.label is None or first_bad_byte(track.path) is None:
        return False
    if track.label.isascii() and "\\udc" not in track.label:
        return False
    names = [name for name in path_parts(track.path) if first_bad_byte(name) is not None]
    return any(track.label in printable(unicodedata.normalize("NFC", western(name) or name)) for name in names)


def _foreign_notes(files: int, example: str) -> tuple[str, ...]:
    if not files:
        return ()
    words = "1 file has its label" if files == 1 else f"{files:,} files have their labels"
    return (f"{words} from a name that is not UTF-8, e.g. {printable(example)}; read as Windows-1252",)
