"""Write a report's content as one self-contained HTML file."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import jinja2

from pipeline.report.content import ReportContent
from pipeline.report.page import build_page
from pipeline.report.view import Section


def render_report(content: ReportContent, more: Sequence[Section] = ()) -> str:
    """Return the report of a run as HTML: styles and pictures inside, no script, nothing to load."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html.j2").render(page=build_page(content, more))


def write_report(target: Path, content: ReportContent, more: Sequence[Section] = ()) -> None:
    """Write the report of a run as one HTML file in UTF-8, complete or not at all.

    `more` are the sections of its recipe's outputs. Missing folders above it are made. Raises `OSError`.
    """
    html = render_report(content, more)
    # A name of its own for each writer: two may report the same run, and the last one to finish wins.
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_text(html, encoding="utf-8")
        part.replace(target)
    finally:
        with suppress(OSError):  # as on a file system that can only be read, where nothing was written
            part.unlink(missing_ok=True)
