"""Put the page together: what the first screen says, and which sections follow."""

from pipeline.learning import EvaluationReport
from pipeline.report.champion import champion_section, champion_tile
from pipeline.report.content import ReportContent
from pipeline.report.learned import (
    confusion_picture,
    curves_section,
    majority_share,
    mistakes_section,
    scores_section,
    trials_section,
)
from pipeline.report.parting import split_section
from pipeline.report.sections import (
    classes_section,
    failures_section,
    features_section,
    reproduce_section,
    scanned_section,
)
from pipeline.report.view import Chart, Page, Section, Tile
from pipeline.report.wording import count, counted, duration, moment, percent
from pipeline.tracks import printable

MOST_CLASSES_ABOVE = 12
"""Up to here the confusion matrix is readable beside the headline."""


def build_page(content: ReportContent) -> Page:
    """Return the page of a run, with the sections there is something to say in."""
    evaluation = content.evaluation
    headline, words = _learned(evaluation, content) if evaluation else _extracted(content)
    tiles = (_score_tiles(evaluation) if evaluation else ()) + champion_tile(content.verdict) + _library_tiles(content)
    picture = confusion_picture(evaluation) if evaluation else None
    is_above = evaluation is not None and len(evaluation.classes) <= MOST_CLASSES_ABOVE
    sections = _sections(content, picture=None if is_above else picture)
    title = printable(content.plan.recipe.title or content.plan.recipe.name)
    when = content.created or content.plan.created
    return Page(
        title=title,
        kicker=" · ".join(filter(None, [f"Run {printable(content.plan.run_id)}", moment(when)])),
        headline=headline,
        words=words,
        tiles=tiles,
        picture=picture if is_above else None,
        sections=tuple(section for section in sections if section is not None),
        footer="Written by chordal. This page loads nothing: keep it, mail it, open it anywhere.",
    )


def accuracy_interval(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Wilson's score method."""
    from scipy.stats import binomtest  # takes a second to import

    interval = binomtest(right, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def _sections(content: ReportContent, *, picture: Chart | None) -> list[Section | None]:
    """Return all sections in their order; `None` where there is nothing to say."""
    evaluation, manifest, split, libraries = content.evaluation, content.manifest, content.split, content.plan.libraries
    learned: list[Section | None] = []
    if evaluation is not None:
        learned = [scores_section(evaluation, picture=picture), mistakes_section(evaluation, libraries)]
    return [
        *learned,
        champion_section(content.verdict),
        trials_section(content),
        curves_section(content),
        scanned_section(content),
        failures_section(content),
        classes_section(content),
        split_section(manifest, split, libraries, content.plan.recipe.augment)
        if manifest is not None and split is not None
        else None,
        features_section(content),
        reproduce_section(content),
    ]


def _learned(evaluation: EvaluationReport, content: ReportContent) -> tuple[str, tuple[str, ...]]:
    """Return headline and words of a run that has trained a model."""
    test, model = evaluation.test, evaluation.model
    right = sum(row[place] for place, row in enumerate(test.confusion))
    headline = f"{percent(test.accuracy)} of {counted(test.n, 'test track')} got the right label"
    folds = len(evaluation.per_partition)
    how = (
        f"Every track was tested once, by a model that never saw its fold: {folds} folds."
        if folds > 1
        else "The test tracks were read once, after every choice was made."
    )
    baseline = (
        f"Guessing would reach {percent(1 / max(len(evaluation.classes), 1))}, always naming the largest class "
        f"{percent(majority_share(test))}."
    )
    words = [
        f"{baseline} Validation, which chose the model, said {percent(evaluation.validation.accuracy)}.",
        f"{how} Model {printable(model.version)}: {printable(model.family)}.",
    ]
    if test.n:
        low, high = accuracy_interval(right, test.n)
        words.append(
            f"With {counted(test.n, 'test track')} the accuracy lies between {percent(low)} and {percent(high)} "
            "(95% interval by Wilson, tracks taken as independent)."
        )
    if content.counts.failed:
        words.append(f"{counted(content.counts.failed, 'file')} could not be used; the reasons are below.")
    return headline, tuple(words)


def _extracted(content: ReportContent) -> tuple[str, tuple[str, ...]]:
    """Return headline and words of a run that has not, or not yet, trained a model."""
    counts = content.counts
    ready = counts.extracted + counts.unchanged
    headline = f"{count(ready)} of {counted(counts.scanned, 'file')} have features"
    words = [f"{count(counts.extracted)} extracted now, {count(counts.unchanged)} unchanged since an earlier run."]
    if content.plan.learn:
        words.append("No model was evaluated in this run.")
    else:
        words.append('This run only extracts; train on what is stored with "chordal train".')
    return headline, tuple(words)


def _score_tiles(evaluation: EvaluationReport) -> tuple[Tile, ...]:
    test, model = evaluation.test, evaluation.model
    return (
        Tile(name="Accuracy", value=percent(test.accuracy), note=f"test, n = {count(test.n)}"),
        Tile(name="Macro F1", value=percent(test.macro_f1), note="mean over classes"),
        Tile(
            name="Baseline",
            value=percent(majority_share(test)),
            note=f"largest of {counted(len(evaluation.classes), 'class', 'classes')}",
        ),
        Tile(name="Model", value=printable(model.version), note=printable(model.family)),
    )


def _library_tiles(content: ReportContent) -> tuple[Tile, ...]:
    counts, facts = content.counts, content.facts
    took = sum(content.seconds.values())
    return (
        Tile(name="Files", value=count(counts.scanned), note=f"{duration(facts.audio_s)} of sound"),
        Tile(name="Extracted", value=count(counts.extracted), note=f"{count(counts.unchanged)} unchanged"),
        Tile(
            name="Failed",
            value=count(counts.failed),
            note="recorded below" if counts.failed else "none",
            is_alarming=counts.failed > 0,
        ),
        Tile(name="Time", value=duration(took), note="all stages"),
    )
