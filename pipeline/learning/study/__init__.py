"""The values of a study: its plan, trials, outcomes, measurements and evaluation report."""
