"""A split tried on what a scan found, before anything is extracted: whether it is possible, and what it would be.

Of files that share label, group and fold a few stand for all, so that the memory it takes does not grow with the files
of a group; their sounds are not known yet, so copies of a recording are not either.
"""

from collections import Counter
from collections.abc import Mapping

from pipeline.errors import UsageError
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack
from pipeline.learning.splits.split import make_split
from pipeline.library.tracks import ScannedTrack
from pipeline.plans.split import SplitPlan
from pipeline.wire import Value

_EACH = 20
"""Files of one label, group and fold that take part, where they have a group."""

_ALONE = 2000
"""Files of one label and fold that take part, where each is a group of its own."""

Parts = Mapping[tuple[str, str | None, str | None], int]
"""How many files have a label, a group and a fold."""


class SplitPreview(Value, frozen=True, kw_only=True):
    """What the split of a recipe would be."""

    groups: int = 0
    """Groups of labelled files that were told."""
    least: int = 0
    """Files of the smallest group, ..."""
    most: int = 0
    """... and of the largest."""
    largest: str = ""
    """The name of the largest group."""
    folds: dict[str, int] = {}
    """Labelled files by fold."""
    words: str = ""
    """What the split would be, for people; empty where nothing is learned."""
    reason: str = ""
    """Why it is not possible, with the mend."""


class SplitTally:
    """Counts the labelled files of a scan for the preview of their split."""

    def __init__(self) -> None:
        self._parts: Counter[tuple[str, str | None, str | None]] = Counter()
        self._groups: Counter[str] = Counter()
        self._folds: Counter[str] = Counter()

    def add(self, track: ScannedTrack) -> None:
        """Count one file; one without a label is not split."""
        if track.label is None:
            return
        self._parts[track.label, track.group, track.fold] += 1
        if track.group is not None:
            self._groups[track.group] += 1
        if track.fold is not None:
            self._folds[track.fold] += 1

    def preview(self, plan: SplitPlan, *, seed: int) -> SplitPreview:
        """Return what a plan would make of them; with the reason where it makes nothing."""
        [(largest, most)] = self._groups.most_common(1) or [("", 0)]
        preview = SplitPreview(
            groups=len(self._groups),
            least=min(self._groups.values(), default=0),
            most=most,
            largest=largest,
            folds=dict(sorted(self._folds.items())),
        )
        if len({label for label, _, _ in self._parts}) < 2:
            return preview
        try:
            words = _words(self._parts, plan, seed=seed)
        except UsageError as error:
            return preview.replace(reason=str(error))
        return preview.replace(words=words)


def _words(parts: Parts, plan: SplitPlan, *, seed: int) -> str:
    if plan.strategy == "rows":
        return "single rows at random"
    manifest = _manifest(parts)
    split = make_split(manifest, plan, seed=seed)
    rounds = split.rounds
    if len(rounds) == 1:
        part = rounds[0].partitions[0]
        sizes = [len(side) for side in (part.train, part.validation, part.test)]
        shares = " / ".join(f"{size / sum(sizes):.0%}" for size in sizes)
        how = f"folds {part.name} test" if split.strategy == "folds" else "whole groups"
        words = f"once, training / validation / test {shares}, {how}"
    else:
        named = "folds as given" if split.strategy == "folds" else "folds of whole groups"
        words = f"cross-validation over {len(rounds)} {named}"
    notes = [note for note in split.notes if "few" in note or "folds are used" in note or "validates" in note]
    return "; ".join([words, *notes])


def _manifest(parts: Parts) -> DatasetManifest:
    """Return tracks that stand for the files."""
    tracks = []
    for number, ((label, group, fold), count) in enumerate(sorted(parts.items(), key=str)):
        for at in range(min(count, _ALONE if group is None else _EACH)):
            name = f"{number}-{at}"
            tracks.append(
                DatasetTrack(track_id=name, content_hash=name, path=f"a {label}", label=label, group=group, fold=fold)
            )
    labels = sorted({label for label, _, _ in parts})
    return DatasetManifest(run_id="", families={}, classes=tuple(labels), tracks=tuple(tracks))


def describe_groups(preview: SplitPreview) -> str:
    """Return the groups and folds in words; an empty string where there are none."""
    words = []
    if preview.groups:
        sizes = (
            f"of {preview.least:,}" if preview.least == preview.most else f"of {preview.least:,} to {preview.most:,}"
        )
        words.append(f"{preview.groups:,} groups {sizes} labelled files")
    if preview.folds:
        named = ", ".join(f"{name} {count:,}" for name, count in list(preview.folds.items())[:12])
        more = ", ..." if len(preview.folds) > 12 else ""
        words.append(f"{len(preview.folds):,} folds: {named}{more}")
    return "; ".join(words)
