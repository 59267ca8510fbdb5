"""Small libraries to learn from, as fixtures."""

from study_libraries import blobs, library, manifest_of, recipe

__all__ = ["blobs", "library", "manifest_of", "recipe"]
