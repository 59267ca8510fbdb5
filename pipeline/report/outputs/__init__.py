"""The optional sections of a recipe's report: the pictures and numbers of the tutorials.

An output is measured once, when the study has ended (`measure`), and shown as a section whenever the report is written
(`sections`): from stored features, the delivered model and, where a wave is needed, one decoded file per class.
"""

from pipeline.learning.study.measurements import Measurements
from pipeline.report.outputs.measurements import measure
from pipeline.report.outputs.sections import sections
from pipeline.report.outputs.study import Study

__all__ = ["Measurements", "Study", "measure", "sections"]
