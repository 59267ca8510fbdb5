"""The counts of a scan, and whether a classifier could be trained on its files."""

from collections import Counter
from collections.abc import Sequence

from pipeline.errors import UsageError
from pipeline.library import imported
from pipeline.library.labels import check_labelled, parse_labels
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
    """Folders that could not be read, with the reason."""
    gone: int = 0
    """Tracks that an earlier scan saw and this one marked deleted."""
    formats: dict[str, int] = {}
    """Files per extension."""
    label_findings: LabelFindings = LabelFindings()
    """Labels that are nearly the same or look like several, and what the vocabulary folded."""


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
    if not plan.learn:
        return
    if not imported.is_imported(plan.libraries):
        folded = summary.label_findings.folded
        if folded is not None and folded.dropped and not summary.labels:
            raise UsageError(
                f"vocabulary {printable(plan.rules.vocabulary or 'of the recipe')}: drops the labels of all "
                f"{folded.unlabelled:,} files that have one; mend its ignore or unknown"
            )
        source = parse_labels(plan.labels, libraries=plan.libraries)
        check_labelled(source, scanned=summary.files, labelled=sum(summary.labels.values()), example=summary.example)
    if len(summary.labels) == 1:
        raise UsageError(
            f"labels {plan.labels}: all {summary.files} files have the one label {next(iter(summary.labels))!r}; "
            f"a classifier needs at least two, so add folders or give another --labels{_folded_words(summary)}"
        )
    if plan.recipe.split.strategy != "rows":  # which splits the rows within tracks: one track is enough
        _check_classes(plan, summary)
    for option, without in (("groups", summary.ungrouped), ("folds", summary.unfolded)):
        if without == summary.files:
            raise UsageError(
                f"{option} {printable(getattr(plan, option))}: found for none of {summary.files:,} files; "
                f"mend the rule given with --{option}, or leave it out"
            )


class ScanTally:
    """Counts the files of a scan."""

    def __init__(self, *, grouped: bool, folded: bool, vocabulary: Vocabulary | None = None) -> None:
        self.files = 0
        self._required = {"group": grouped, "fold": folded}
        self._bytes = 0
        self._labels = LabelTally(vocabulary)
        self._formats: Counter[str] = Counter()
        self._without: Counter[str] = Counter()
        self._example = ""

    def add(self, track: ScannedTrack) -> None:
        """Count one file."""
        self.files += 1
        self._bytes += track.stamp.size_bytes
        self._formats[track.path.rpartition(".")[2].lower()] += 1
        self._without["group"] += self._required["group"] and track.group is None
        self._without["fold"] += self._required["fold"] and track.fold is None
        if track.label is None:
            self._without["label"] += 1
            self._example = self._example or track.path
        self._labels.add(track)

    def summary(self, shards: int, unreadable: tuple[str, ...]) -> ScanSummary:
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
            label_findings=self._labels.findings(),
        )
