"""Watching libraries: which files change, when they are completely written, and the runs that take them in."""
