"""The sections of a report, a module each: from a run's values to what the page shows."""
