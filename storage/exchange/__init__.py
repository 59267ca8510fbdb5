"""Writing a family's rows, with labels, groups and units, into files of common formats, and importing an NPZ file."""

from storage.exchange.export import FORMATS, ExportReport, export

__all__ = ["FORMATS", "ExportReport", "export"]
