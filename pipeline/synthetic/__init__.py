"""Sounds and points from formulas: the demo library, and the libraries that recipes make for themselves."""
