"""The outputs of a run's recipe: measured once when it has learned, and sections of its report."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.audio.decode import decode
from pipeline.audio.parts import decode_part
from pipeline.learning.splits.rows import row_view
from pipeline.library.tracks import track_id
from pipeline.plans.album_part import file_path_of
from storage.home import Home
from workers.learning.study import dataset_and_split, scanned_tracks

if TYPE_CHECKING:
    from pipeline.audio import Audio
    from pipeline.learning.dataset.load import RowSource
    from pipeline.report.outputs import Study
    from pipeline.report.view import Section

FOLDER = "outputs"
"""Below a run's folder: the models that were trained for its outputs."""
_UNLABELLED = 8
"""Files without a label that a report may show."""


def measure(home: Home, run_id: str) -> None:
    """Measure the outputs that the run's recipe names and write them to the ledger; a second call does nothing."""
    if not home.ledger.plan(run_id).recipe.outputs or home.ledger.measurements(run_id) is not None:
        return
    from pipeline.report.outputs import Measurements
    from pipeline.report.outputs import measure as measurements_of

    with home.store.hold() as snapshot:
        study = _study(home, run_id, snapshot)
        if study is None:
            return
        try:
            measured = measurements_of(study)
        except (ValueError, MemoryError) as error:  # as of a trial: the run has its model and its report all the same
            reason = " ".join(str(error).split())[:500] or type(error).__name__
            measured = Measurements(run_id=run_id, trouble=reason)
        home.ledger.put_measurements(measured)


def sections(home: Home, run_id: str) -> "tuple[Section, ...]":
    """Return the sections of the outputs that the run's recipe names; none for a run that has not learned."""
    measured = home.ledger.measurements(run_id)
    if measured is None:
        return ()
    from pipeline.report.outputs import sections as sections_of

    with home.store.hold() as snapshot:
        study = _study(home, run_id, snapshot)
        return () if study is None else sections_of(study, measured)


def _study(home: Home, run_id: str, source: "RowSource") -> "Study | None":
    """Return the study of a run; None before it has a report."""
    from pipeline.report.outputs import Study

    ledger = home.ledger
    evaluation = ledger.report(run_id)
    if evaluation is None:
        return None
    plan = ledger.plan(run_id)
    manifest, split, source = row_view(plan.recipe, *dataset_and_split(home, run_id), source)
    unlabelled = (track.path for track in scanned_tracks(home, run_id) if track.label is None)
    return Study(
        recipe=plan.recipe,
        manifest=manifest,
        split=split,
        outcomes=ledger.outcomes(run_id),
        evaluation=evaluation,
        source=source,
        model=Path(home.registry.get(evaluation.model.version).path),
        folder=ledger.path(run_id) / FOLDER,
        decode=lambda path: _decode(path, source, plan.max_duration_s),
        unlabelled=tuple(islice(unlabelled, _UNLABELLED)),
    )


def _decode(path: str, source: "RowSource", max_duration_s: float) -> "Audio":
    """Return the sound of a track; of one in an album's file, its part of the file."""
    record = source.record(track_id(path))
    if record is None or record.part is None:
        return decode(path, max_duration_s=max_duration_s)
    file_path = file_path_of(path, record.part)
    start_s, end_s = record.part.start_s, record.part.end_s
    return decode_part(file_path, start_s=start_s, end_s=end_s, max_duration_s=max_duration_s)
