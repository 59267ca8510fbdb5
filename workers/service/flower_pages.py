"""Flower's pages with ours among them: the runs of the home, their reports, and the run of each task."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from flower.app import Flower, rewrite_handler
from flower.command import extract_settings
from flower.options import options
from flower.urls import settings
from flower.views import BaseHandler
from tornado.ioloop import IOLoop
from tornado.template import Loader, Template
from tornado.web import HTTPError, RedirectHandler, authenticated, url

from pipeline.errors import ChordalError
from storage.home import Home
from workers.app.celery import app
from workers.app.task_names import FINISH_RUN
from workers.runs.state import RunState
from workers.service.flower_history import FlowerHistory
from workers.service.task_endings import shown_kwargs

LISTED_RUNS = 50
"""How many runs the page of runs shows, the newest first."""

REPORT = "report.html"

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What may be a run's folder: nothing that leads out of the ledger."""

_TAB = """
        <li class="nav-item">
          <a class="nav-link{% if active_tab == 'runs' %} active{% end %}" href="{{ reverse_url('runs') }}"
            {% if active_tab == 'runs' %}aria-current="page"{% end %}>Runs</a>
        </li>"""

_RUN = """{% set run = run_of(task) %}{% if run %}
      <div class="detail-row task-data-row">
        <dt>Run</dt>
        <dd><span><code class="text-body-secondary">{{ run }}</code>
          {% if has_report(run) %}<a href="{{ reverse_url('report', run) }}">report</a>{% end %}</span></dd>
      </div>
      {% end %}
      """

_RUNS = """{% extends "base.html" %}
{% block title %}Runs · Flower{% end %}
{% block navbar %}{% module Template("navbar.html", active_tab="runs") %}{% end %}
{% block container %}
<div class="page-section">
  <header class="page-header"><div><p class="page-eyebrow">
    Runs of <span style="text-transform: none">{{ home }}</span>
  </p></div></header>
  <section class="tasks-table-card" aria-label="Runs">
    <table class="tasks-table table table-hover align-middle w-100 mb-0">
      <thead><tr><th>Run</th><th>Recipe</th><th>Started</th><th>Stage</th><th>Files</th><th>Report</th></tr></thead>
      <tbody>
      {% for each in runs %}
        <tr><td><code>{{ each.run_id }}</code></td><td>{{ each.recipe }}</td><td>{{ each.created }}</td>
          <td>{{ each.stage }}</td><td>{{ each.files }}</td>
          <td>{% if each.has_report %}<a href="{{ reverse_url('report', each.run_id) }}">report</a>{% end %}</td></tr>
      {% end %}
      {% if not runs %}<tr><td colspan="6">no run yet</td></tr>{% end %}
      </tbody>
    </table>
  </section>
</div>
{% end %}
"""

_SHORT_IDS = """<style>
  .tasks-table .task-uuid-full { display: none; }
  .tasks-table .task-uuid-short { display: inline; }
</style>
"""

_ADDITIONS = {
    # By the page of Flower: the words before which ours stand.
    "navbar.html": (
        '\n        <li class="nav-item">\n          <a class="nav-link{% if active_tab == \'broker\'',
        _TAB,
    ),
    "task.html": ('<div class="detail-row detail-row-code task-data-row">\n        <dt>Arguments</dt>', _RUN),
    "tasks.html": ('<div class="page-section tasks-page">', _SHORT_IDS),
}


class ListedRun(NamedTuple):
    """A run on the page of runs."""

    run_id: str
    recipe: str
    created: str
    """ISO 8601, UTC."""
    stage: str
    files: str
    has_report: bool


def application(home: Home, **chosen: Any) -> Flower:
    """Return Flower for a home, with Flower's own options."""
    for name, value in chosen.items():
        setattr(options, name, value)
    options.persistent = True
    options.format_task = _formatter(home)
    extract_settings()
    flower = Flower(
        options=options,
        capp=app,
        events=FlowerHistory(home, io_loop=IOLoop.current(), options=options),
        **settings,
        template_loader=PageLoader(settings["template_path"]),
        ui_methods={"run_of": lambda _, task: run_of(task), "has_report": lambda _, run: report_of(home, run)},
    )
    pages = [
        url(r"/runs", RunsHandler, {"home": home}, name="runs"),
        url(r"/report/([^/]+)", ReportHandler, {"home": home}, name="report"),
    ]
    if options.url_prefix:
        pages = [rewrite_handler(page, options.url_prefix) for page in pages]
        # The address without its last slash, as people write it.
        pages.append(url(options.url_prefix, RedirectHandler, {"url": f"{options.url_prefix}/"}))
    flower.add_handlers(".*", pages)
    return flower


class PageLoader(Loader):
    """Flower's templates with ours among them; where a page of it has changed, it is shown as it is."""

    def _create_template(self, name: str) -> Template:
        text = _RUNS if name == "runs.html" else (Path(self.root) / name).read_text("utf-8")
        anchor, addition = _ADDITIONS.get(name, ("", ""))
        return Template(text.replace(anchor, addition + anchor, 1) if anchor else text, name=name, loader=self)


class RunsHandler(BaseHandler):  # type: ignore[misc]
    """The page of runs."""

    def initialize(self, home: Home) -> None:
        """Take what the page is about."""
        self._home = home

    @authenticated
    async def get(self) -> None:
        """Show the newest runs."""
        runs = await IOLoop.current().run_in_executor(None, list_runs, self._home)
        self.render("runs.html", runs=runs, home=self._home.path)


class ReportHandler(BaseHandler):  # type: ignore[misc]
    """The report of a run, as its file in the home."""

    def initialize(self, home: Home) -> None:
        """Take where the reports are."""
        self._home = home

    @authenticated
    def get(self, run_id: str) -> None:
        """Answer with the report, 404 where there is none."""
        path = report_of(self._home, run_id)
        if path is None:
            raise HTTPError(404, f"Run '{run_id}' has no report here")
        try:
            page = path.read_bytes()
        except OSError as error:
            raise HTTPError(404, f"The report of run '{run_id}' cannot be read: {error.strerror}") from error
        self.set_header("Content-Type", "text/html; charset=utf-8")
        # Names of files and tags stand in it: whatever they are, the page reaches nothing of Flower's.
        self.set_header("Content-Security-Policy", "sandbox allow-popups allow-downloads")
        self.finish(page)


def list_runs(home: Home) -> list[ListedRun]:
    """Return the newest runs of a home, the newest first; one that cannot be read says why instead of its stage."""
    return [_listed(home, run_id) for run_id in reversed(home.ledger.run_ids()[-LISTED_RUNS:])]


def _listed(home: Home, run_id: str) -> ListedRun:
    has_report = report_of(home, run_id) is not None
    try:
        state = RunState.read(home, run_id)
        plan, files = state.plan, state.files
    except ChordalError as error:
        return ListedRun(run_id, "", "", str(error), "", has_report)
    return ListedRun(run_id, plan.recipe.name, plan.created, state.stage, str(files), has_report)


def report_of(home: Home, run_id: str) -> Path | None:
    """Return the report's file of a run of the home; None for any other name, and where there is no report."""
    if _RUN_ID.fullmatch(run_id) is None:
        return None
    path = home.ledger.path(run_id) / REPORT
    try:
        inside = path.resolve().is_relative_to(home.path.resolve())
        return path if inside and path.is_file() else None
    except (OSError, RuntimeError):  # another user's, or links in a circle
        return None


def run_of(task: Any) -> str:
    """Return the run of a task as Flower holds it; empty for a task of none."""
    return str(shown_kwargs(task.kwargs).get("run_id", ""))


def _formatter(home: Home) -> Callable[[Any], Any]:
    """Return what Flower formats each shown task with: the last one of a run says where the report is."""

    def add_report(task: Any) -> Any:
        if task.name == FINISH_RUN and (run_id := run_of(task)) and report_of(home, run_id) is not None:
            task.result = f"{task.result or ''}; report: {options.url_prefix or ''}/report/{run_id}".lstrip("; ")
        return task

    return add_report
