"""Trials, the final training, evaluation on test tracks, and prediction."""
