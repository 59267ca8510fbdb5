"""The names of the queues, as they stand in messages and as keys in a broker; none of them may change."""

QUEUES = ("extract", "store", "tune", "train")
"""Extraction; sealing and compaction; trials; final training. One kind of work each, so that each can be scaled."""

SCHEDULE = "schedule"
"""The queue of what beat sends: the nightly run, runs taken up again, tidying. No part of a run."""
