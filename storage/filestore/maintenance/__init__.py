"""Maintenance of the store: compaction, retention, collection, verification, repair."""
