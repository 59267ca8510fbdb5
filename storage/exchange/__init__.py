"""Writing a family's rows, with labels, groups and units, into files of common formats."""

from storage.exchange.export import FORMATS, Exported, export

__all__ = ["FORMATS", "Exported", "export"]
