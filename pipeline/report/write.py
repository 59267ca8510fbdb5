"""Write a report's content as one self-contained HTML file."""

import errno
import secrets
from collections.abc import Sequence
from pathlib import Path

import jinja2

from pipeline.errors import UsageError
from pipeline.report.content import ReportContent
from pipeline.report.page import build_page
from pipeline.report.view import Section
from pipeline.text import printable


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

    `more` are the sections of its recipe's outputs. Missing folders above it are made.
    Raises `UsageError` when the file cannot be written.
    """
    html = render_report(content, more)
    # A name of its own for each writer: two may report the same run, and the last one to finish wins.
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(html, encoding="utf-8")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        name, reason = printable(str(target)), error.strerror or error
        mend = "free some space or choose" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "choose"
        raise UsageError(f"report {name}: cannot be written ({reason}); {mend} another home") from error
