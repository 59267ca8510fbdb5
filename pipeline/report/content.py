"""The content of a report, and the one pass over the store's track records for its tables."""

from collections import Counter
from collections.abc import Iterable

from pipeline.features.spec import FeatureSpec
from pipeline.learning.dataset.manifests import DatasetManifest, Split
from pipeline.learning.evaluation.gate import Verdict
from pipeline.learning.study.results import EvaluationReport
from pipeline.learning.study.trials import StudyPlan, TrialOutcome, TrialSpec
from pipeline.library.folders.file_names import extension_of
from pipeline.library.folders.left_out import NOTHING, LeftOut
from pipeline.library.tracks import Failure, TrackRecord
from pipeline.library.vocabulary.tally import LabelFindings
from pipeline.plans.album_part import file_path_of
from pipeline.plans.run import RunPlan
from pipeline.wire import Value

LISTED = 200
"""How many rows a long list has; the rest is a number."""


FILES = "files"
"""What is missing where the records of the files cannot be read."""


class RunCounts(Value, frozen=True, kw_only=True):
    """What became of the files of a run."""

    scanned: int
    extracted: int
    unchanged: int
    failed: int


class ListedFailure(Value, frozen=True, kw_only=True):
    """One file, or one feature family of it, without features."""

    path: str
    kind: str
    reason: str
    attempts: int = 1
    family: str | None = None
    """Key of the family that failed; `None` when the whole file did."""


class ListedRemark(Value, frozen=True, kw_only=True):
    """One file that was used, in part or with a remark of its decoder."""

    path: str
    used_s: float
    note: str


class FormatFacts(Value, frozen=True, kw_only=True):
    """The files of one format."""

    files: int
    audio_s: float


class TrackFacts(Value, frozen=True, kw_only=True):
    """Totals over the track records of a library; small however large the library is."""

    formats: dict[str, FormatFacts] = {}
    """By file name extension in upper case, failed files included."""
    rates: dict[int, int] = {}
    """Files by native sample rate, Hz, of those that could be decoded."""
    channels: dict[int, int] = {}
    """Files by number of channels, of those that could be decoded."""
    audio_s: float = 0.0
    failures: tuple[ListedFailure, ...] = ()
    """The first `LISTED` files that failed."""
    failure_kinds: dict[str, int] = {}
    """All failed files, by kind."""
    family_failures: tuple[ListedFailure, ...] = ()
    """The first `LISTED` families that a readable file cannot have."""
    family_failure_kinds: dict[str, int] = {}
    """All of those, by `family: kind`."""
    notes: int = 0
    """Files that were used, with a note of the decoder."""
    remarks: tuple[ListedRemark, ...] = ()
    """The first `LISTED` of them."""

    @property
    def failed(self) -> int:
        """How many files failed."""
        return sum(self.failure_kinds.values())

    @property
    def families_failed(self) -> int:
        """How many families of readable files failed."""
        return sum(self.family_failure_kinds.values())


class ReportContent(Value, frozen=True, kw_only=True):
    """The content of a report. What learning adds is absent after a run that only extracts."""

    plan: RunPlan
    counts: RunCounts
    facts: TrackFacts = TrackFacts()
    class_balance: dict[str, int] = {}
    """Labelled tracks by label, as scanned."""
    specs: tuple[FeatureSpec, ...] = ()
    manifest: DatasetManifest | None = None
    split: Split | None = None
    study: StudyPlan | None = None
    """How many trials were planned, of which models."""
    trials: tuple[TrialSpec, ...] = ()
    """All that were proposed; one without an outcome counts as not run."""
    outcomes: tuple[TrialOutcome, ...] = ()
    evaluation: EvaluationReport | None = None
    trials_wall_s: float | None = None
    """Seconds from the start of the first trial to the end of the last."""
    verdict: Verdict | None = None
    """Whether the model became the champion."""
    seconds: dict[str, float] = {}
    """Wall seconds by stage, in the order of the stages."""
    versions: dict[str, str] = {}
    host: dict[str, str] = {}
    """Facts of the machine, by name: system, processor, cores, ..."""
    missing: dict[str, str] = {}
    """Why some of this could not be read, by what it is; empty for a report by the run itself."""
    created: str = ""
    """When the report was written, ISO 8601, UTC."""
    scan_notes: tuple[str, ...] = ()
    """What the scan found odd in the library and the tables of its labels, a line each."""
    left_out: LeftOut = NOTHING
    """What the scan left out by its name, its content or a pattern."""
    unreadable: tuple[str, ...] = ()
    """Folders and files that the scan could not read, with the reason; of many the first."""
    unread: int = 0
    """How many these are in all."""
    label_findings: LabelFindings = LabelFindings()
    """Labels that are nearly the same or look like several, and what the vocabulary folded."""


def gather_facts(records: Iterable[TrackRecord]) -> TrackFacts:
    """Return the totals over track records, in one pass and bounded memory."""
    files: Counter[str] = Counter()
    audio_s: Counter[str] = Counter()
    rates: Counter[int] = Counter()
    channels: Counter[int] = Counter()
    kinds: Counter[str] = Counter()
    family_kinds: Counter[str] = Counter()
    failures: list[ListedFailure] = []
    family_failures: list[ListedFailure] = []
    notes = 0
    remarks: list[ListedRemark] = []
    for record in records:
        extension = extension_of(file_path_of(record.path, record.part)).upper() or "no extension"
        files[extension] += 1
        if record.has_remark:
            notes += 1
            if notes <= LISTED:
                remarks.append(ListedRemark(path=record.path, used_s=record.duration_s, note=record.note))
        if record.failure is not None:
            kinds[record.failure.kind] += 1
            _list(failures, record.path, record.failure, None)
            continue
        audio_s[extension] += record.duration_s  # type: ignore[assignment]  # a Counter adds up floats as well
        if record.sample_rate_hz:  # imported rows have no sound
            rates[record.sample_rate_hz] += 1
            channels[record.channels] += 1
        for family, failure in record.family_failures.items():
            family_kinds[f"{family}: {failure.kind}"] += 1
            _list(family_failures, record.path, failure, family)
    return TrackFacts(
        formats={name: FormatFacts(files=n, audio_s=float(audio_s[name])) for name, n in files.most_common()},
        rates=dict(sorted(rates.items())),
        channels=dict(sorted(channels.items())),
        audio_s=float(sum(audio_s.values())),
        failures=tuple(failures),
        failure_kinds=dict(kinds.most_common()),
        family_failures=tuple(family_failures),
        family_failure_kinds=dict(family_kinds.most_common()),
        notes=notes,
        remarks=tuple(remarks),
    )


def _list(rows: list[ListedFailure], path: str, failure: Failure, family: str | None) -> None:
    """Add a failure to a list that is not full yet."""
    if len(rows) < LISTED:
        rows.append(
            ListedFailure(path=path, kind=failure.kind, reason=failure.reason, attempts=failure.attempts, family=family)
        )
