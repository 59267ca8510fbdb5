"""Processes that chordal starts: children, their environment, signals, memory limits, a local cluster."""
