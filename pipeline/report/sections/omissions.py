"""The section on what could not be read when the report was written."""

from pipeline.report.view import Column, Section, Table
from pipeline.text import printable


def omissions_section(missing: dict[str, str]) -> Section | None:
    """Return the section on figures that could not be read, and why; nothing where all were."""
    if not missing:
        return None
    words = ("Some of what this report shows otherwise could not be read, and is left out or counted as zero.",)
    table = Table(
        caption="What could not be read",
        columns=(Column(title="What"), Column(title="Reason", is_prose=True)),
        rows=tuple((printable(name), printable(reason)) for name, reason in missing.items()),
    )
    return Section(anchor="missing", title="What is missing", words=words, blocks=(table,))
