"""The labels of a library, one by one, with what is odd of each."""

from collections.abc import Iterable

from pipeline.library.tracks import ScannedTrack
from pipeline.library.vocabulary.index import VocabularyIndex
from pipeline.library.vocabulary.tally import LabelFindings, LabelTally
from pipeline.plans.vocabulary import Vocabulary
from pipeline.wire import Value


class ListedLabel(Value, frozen=True, kw_only=True):
    """One label of a library."""

    label: str
    files: int
    share: float
    """Of all files, 0..1."""
    found_as: dict[str, int] = {}
    """The labels that the vocabulary made it of, with their files."""
    is_known: bool | None = None
    """Whether it is a name of the vocabulary; None without one."""


class LabelListing(Value, frozen=True, kw_only=True):
    """The labels of a library."""

    files: int
    unlabelled: int
    labels: tuple[ListedLabel, ...]
    """The most frequent first."""
    singletons: tuple[str, ...] = ()
    """Labels of one file each."""
    dropped: dict[str, int] = {}
    """Labels that the vocabulary made none of, with their files."""
    findings: LabelFindings = LabelFindings()

    @property
    def counts(self) -> dict[str, int]:
        """Files by label."""
        return {each.label: each.files for each in self.labels}

    @property
    def unknown(self) -> tuple[str, ...]:
        """Labels that are no names of the vocabulary."""
        return tuple(each.label for each in self.labels if each.is_known is False)


def list_labels(tracks: Iterable[ScannedTrack], vocabulary: Vocabulary | None = None) -> LabelListing:
    """Return the labels of tracks that were scanned with a vocabulary, or without one."""
    tally = LabelTally(vocabulary)
    index = VocabularyIndex(vocabulary) if vocabulary is not None else None
    files = 0
    for track in tracks:
        files += 1
        tally.add(track)
    counts = tally.all
    return LabelListing(
        files=files,
        unlabelled=files - tally.first.total(),
        labels=tuple(
            ListedLabel(
                label=label,
                files=count,
                share=count / files,
                found_as=tally.sources(label),
                is_known=index.name(label) is not None if index is not None else None,
            )
            for label, count in counts.items()
        ),
        singletons=tuple(label for label, count in counts.items() if count == 1),
        dropped=tally.dropped,
        findings=tally.findings(),
    )
