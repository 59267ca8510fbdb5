"""Which files of a library are one: the same file, the same sound, the same music; and which of them to keep."""

from pipeline.library.duplicates.copies import RELATIONS, Copy, CopyFacts, Relation
from pipeline.library.duplicates.proposal import Proposal, propose
from pipeline.library.duplicates.sets import CopySet, copy_sets
from pipeline.library.duplicates.words import Words

__all__ = ["RELATIONS", "Copy", "CopyFacts", "CopySet", "Proposal", "Relation", "Words", "copy_sets", "propose"]
