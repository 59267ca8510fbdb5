"""The report of a run: one HTML file that needs nothing but a browser."""

from pipeline.report.content import FormatFacts, ListedFailure, ReportContent, RunCounts, TrackFacts, gather_facts
from pipeline.report.write import write_report

__all__ = [
    "FormatFacts",
    "ListedFailure",
    "ReportContent",
    "RunCounts",
    "TrackFacts",
    "gather_facts",
    "write_report",
]
