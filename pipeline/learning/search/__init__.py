"""Hyper-parameter search: spaces, oracles that propose configurations, and the ranking of outcomes."""
