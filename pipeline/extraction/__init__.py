"""From a file to its rows: one decoding for all feature families, also of altered copies and of chunks."""
