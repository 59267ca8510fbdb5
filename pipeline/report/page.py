"""The page of a report: its headline and tiles, and the sections that follow."""

from collections.abc import Sequence

from pipeline.learning.evaluation import classes_scored
from pipeline.learning.study.findings import Sentinel
from pipeline.learning.study.results import EvaluationReport, Scores
from pipeline.report.content import FILES, ReportContent
from pipeline.report.sections.cautions import cautions_section
from pipeline.report.sections.champion import champion_section, champion_tile
from pipeline.report.sections.confidence import confidence_section
from pipeline.report.sections.omissions import omissions_section
from pipeline.report.sections.run import (
    classes_section,
    failures_section,
    features_section,
    missed_words,
    reproduce_section,
    scan_section,
)
from pipeline.report.sections.scores import (
    confusion_picture,
    mistakes_section,
    scores_section,
)
from pipeline.report.sections.search import search_section
from pipeline.report.sections.split import split_section
from pipeline.report.sections.trials import curves_section, trials_section
from pipeline.report.sections.trust import duplicates_section, leakage_section
from pipeline.report.sections.unusable import unusable_section
from pipeline.report.view import Chart, Page, Section, Tile
from pipeline.report.words import bounds, count, percent, points, quantity, utc_time
from pipeline.text import MISSING, describe_duration, printable

MOST_CLASSES_ABOVE = 12
"""Up to here the confusion matrix is readable beside the headline."""


def build_page(content: ReportContent, more: Sequence[Section] = ()) -> Page:
    """Return the page of a run, with the sections that have content, and `more` after the curves."""
    evaluation = content.evaluation
    headline, words = _learned(evaluation, content) if evaluation else _extracted(content)
    tiles = (
        *(_score_tiles(evaluation) if evaluation else ()),
        *_trust_tiles(content),
        *champion_tile(content.verdict),
        *_library_tiles(content),
    )
    picture = confusion_picture(evaluation) if evaluation else None
    is_above = evaluation is not None and len(evaluation.classes) <= MOST_CLASSES_ABOVE
    sections = _sections(content, more, picture=None if is_above else picture)
    title = printable(content.plan.recipe.title or content.plan.recipe.name)
    when = content.created or content.plan.created
    return Page(
        title=title,
        kicker=" · ".join(filter(None, [f"Run {printable(content.plan.run_id)}", utc_time(when)])),
        headline=headline,
        words=words,
        tiles=tiles,
        picture=picture if is_above else None,
        sections=tuple(section for section in sections if section is not None),
        footer="Written by chordal. This page loads nothing: keep it, mail it, open it anywhere.",
    )


def _sections(content: ReportContent, more: Sequence[Section], *, picture: Chart | None) -> list[Section | None]:
    """Return all sections in their order; `None` for one without content."""
    evaluation, manifest, split, libraries = content.evaluation, content.manifest, content.split, content.plan.libraries
    learned: list[Section | None] = []
    if evaluation is not None:
        learned = [
            scores_section(evaluation, picture=picture),
            leakage_section(evaluation, manifest, split),
            confidence_section(evaluation, is_refit=content.plan.recipe.search.refit),
            mistakes_section(evaluation, libraries),
        ]
    return [
        cautions_section(evaluation) if evaluation is not None else None,
        omissions_section(content.missing),
        *learned,
        champion_section(content.verdict),
        trials_section(content),
        search_section(content),
        curves_section(content),
        *more,
        scan_section(content),
        failures_section(content) if FILES not in content.missing else None,
        classes_section(content),
        split_section(manifest, split, libraries, content.plan.recipe, evaluation.row_sides if evaluation else None)
        if manifest is not None and split is not None
        else None,
        duplicates_section(manifest, split, libraries) if manifest is not None and split is not None else None,
        features_section(content),
        unusable_section(manifest, libraries) if manifest is not None else None,
        reproduce_section(content),
    ]


def _learned(evaluation: EvaluationReport, content: ReportContent) -> tuple[str, tuple[str, ...]]:
    """Return headline and words of a run that has trained a model."""
    test, model = evaluation.test, evaluation.model
    unit = evaluation.scored.removesuffix("s")
    headline = f"{percent(test.accuracy)} of {quantity(test.n, f'test {unit}')} got the right label"
    folds = len(evaluation.per_partition)
    how = (
        f"Every track was tested once, by a model that never saw its fold: {folds} folds."
        if folds > 1
        else f"The test {evaluation.scored} were read once, after every choice was made."
    )
    baseline = (
        f"Guessing would reach {percent(1 / max(len(evaluation.classes), 1))}, always naming the largest class "
        f"{percent(test.majority_share)}."
    )
    words = [
        f"{baseline} Validation, which chose the model, said {percent(evaluation.validation.accuracy)}.",
        f"{how} Model {printable(model.version)}: {printable(model.family)}.",
    ]
    if evaluation.scored == "rows":
        torn = evaluation.row_sides is None or evaluation.row_sides.torn > 0
        words.insert(0, _TORN if torn else _SINGLE)
    if test.n and (evaluation.calibration is not None or test.accuracy_interval is not None):
        words.append(_interval(test, unit))
    if content.counts.failed:
        words.append(f"{quantity(content.counts.failed, 'file')} could not be used; the reasons are below.")
    words += missed_words(content)
    return headline, tuple(words)


_TORN = (
    "Segments of one track stand on both sides of this split, as the recipe asks: the score is of other moments of "
    "tracks the model knows, not of tracks it has never heard. What can be said of those is below."
)
_SINGLE = (
    "Single rows were dealt out at random, as the recipe asks, each of a track of its own: what belongs together in "
    "truth, such as a song, may stand on both sides and flatter the score. As far as that can be told, it is below."
)


def _interval(test: Scores, unit: str) -> str:
    """Return the interval of the accuracy in words, or why there is none."""
    interval = test.accuracy_interval
    tested = quantity(test.n, f"test {unit}")
    if interval is None:
        return (
            f"The {tested} are one group, which is right or wrong together: no interval can be given, and how the "
            "model does on others nobody knows. Cross-validation tests every group once."
        )
    methods = {
        "t": "Student's t over groups",
        "exact": "the exact one for so many groups, as all of them agree",
        "bootstrap": f"bootstrap over groups, {count(interval.resamples)} times",
        "wilson": "by Wilson, each counted for itself",
    }
    return (
        f"With {tested} in {quantity(interval.units, 'group')} the accuracy lies between {percent(interval.low)} and "
        f"{percent(interval.high)} (95% interval, {methods[interval.method]})."
    )


def _trust_tiles(content: ReportContent) -> tuple[Tile, ...]:
    """Return the tiles on how far scores and answers can be trusted; none for a report of an older chordal."""
    evaluation, split = content.evaluation, content.split
    if evaluation is None or evaluation.calibration is None or evaluation.sentinel is None or split is None:
        return ()
    calibration, sentinel, gap = evaluation.calibration, evaluation.sentinel, evaluation.sentinel.gap
    copies = sum(len(each.tracks) for each in split.duplicates)
    torn = sum(len(each.tracks) for each in split.duplicates if not each.kept)
    asked = percent(calibration.target_accuracy)
    right = f"{percent(calibration.accuracy)} of them right" if calibration.accuracy is not None else "none"
    return (
        Tile(name="Answered", value=percent(calibration.coverage), note=f"{right}, {asked} asked; the rest is unsure"),
        Tile(
            name="Calibration error",
            value=percent(calibration.after.ece),
            note=f"{percent(calibration.before.ece)} before",
        ),
        Tile(
            name="Gain of a leak",
            value=points(gap.gap) if gap and sentinel.knows_groups else MISSING,
            note=_gap_note(sentinel),
            is_alarming=evaluation.scored == "rows" and sentinel.knows_groups,
        ),
        Tile(
            name="Duplicates",
            value=count(copies),
            note=f"{count(torn)} on several sides" if torn else "kept together" if copies else "none",
            is_alarming=torn > 0,
        ),
    )


def _gap_note(sentinel: Sentinel) -> str:
    """Return what the tile of the sentinel compares, and by which model."""
    if not sentinel.knows_groups:
        return "cannot be told: no groups are known"
    if sentinel.gap is None:
        return "cannot be told"
    who = "" if sentinel.is_winner else ", by a stand-in"
    return f"had rows been split at random{who}; they were not"


def _extracted(content: ReportContent) -> tuple[str, tuple[str, ...]]:
    """Return headline and words of a run that has not, or not yet, trained a model."""
    counts = content.counts
    ready = counts.extracted + counts.unchanged
    headline = f"{count(ready)} of {quantity(counts.scanned, 'file')} have features"
    words = [f"{count(counts.extracted)} extracted now, {count(counts.unchanged)} unchanged since an earlier run."]
    if content.plan.learn:
        words.append("No model was evaluated in this run.")
    else:
        words.append('This run only extracts; train on what is stored with "chordal train".')
    return headline, (*words, *missed_words(content))


def _score_tiles(evaluation: EvaluationReport) -> tuple[Tile, ...]:
    test, model = evaluation.test, evaluation.model
    return (
        Tile(name="Accuracy", value=percent(test.accuracy), note=f"{_spread(evaluation)}, n = {count(test.n)}"),
        Tile(name="Macro F1", value=percent(test.macro_f1), note=_macro_note(evaluation)),
        Tile(
            name="Baseline",
            value=percent(test.majority_share),
            note=f"largest of {quantity(len(evaluation.classes), 'class', 'classes')}",
        ),
        Tile(name="Model", value=printable(model.version), note=printable(model.family)),
    )


def _spread(evaluation: EvaluationReport) -> str:
    """Return the interval of the accuracy, or why there is none; a report of an older chordal never had one."""
    interval = evaluation.test.accuracy_interval
    is_single = interval is None and evaluation.calibration is not None
    return "one group: no interval" if is_single else bounds(interval)


def _macro_note(evaluation: EvaluationReport) -> str:
    """Return the interval of the macro F1, and how many classes it is the mean of."""
    test = evaluation.test
    scored, classes = classes_scored(test), len(test.per_class)
    over = "classes" if scored == classes else f"the {scored} of {quantity(classes, 'class', 'classes')} that occur"
    # Without a mistake the accuracy has an interval, and the macro F1 none.
    spread = bounds(test.macro_f1_interval) if test.accuracy_interval else _spread(evaluation)
    return f"{spread}, mean over {over}"


def _library_tiles(content: ReportContent) -> tuple[Tile, ...]:
    counts, facts = content.counts, content.facts
    took = sum(content.seconds.values())
    return (
        Tile(name="Files", value=count(counts.scanned), note=f"{describe_duration(facts.audio_s)} of sound"),
        Tile(name="Extracted", value=count(counts.extracted), note=f"{count(counts.unchanged)} unchanged"),
        Tile(
            name="Failed",
            value=count(counts.failed),
            note="recorded below" if counts.failed else "none",
            is_alarming=counts.failed > 0,
        ),
        Tile(name="Time", value=describe_duration(took), note="all stages"),
    )
