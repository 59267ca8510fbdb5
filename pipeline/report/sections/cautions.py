"""The section on what a reader of the scores should know first."""

from pipeline.learning.study.results import EvaluationReport
from pipeline.report.view import Column, Section, Table
from pipeline.text import printable


def cautions_section(evaluation: EvaluationReport) -> Section | None:
    """Return the cautions of a study with their mends, the weightiest first; None where there is none."""
    if not evaluation.cautions:
        return None
    table = Table(
        caption="Cautions, the weightiest first",
        columns=(Column(title="What to know", is_prose=True), Column(title="What would help", is_prose=True)),
        rows=tuple((f"{_sentence(each.what)}", _sentence(each.mend)) for each in evaluation.cautions),
    )
    return Section(anchor="cautions", title="Read this first", words=(), blocks=(table,))


def _sentence(words: str) -> str:
    text = printable(words)
    return f"{text[0].upper()}{text[1:]}." if text else ""
