"""The sections of a report, a module each: from a run's values to parts of the page."""
