"""Vocabularies: which labels are one, and what in a library looks as if it were."""
