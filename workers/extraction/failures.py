"""Failure records of files that cannot be extracted."""

import socket

HOST = socket.gethostname()


FILE_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, RuntimeError, AttributeError)
"""What a numerical library may raise over a file nobody foresaw; one file never stops a run, so it becomes a record.

No `MemoryError`: a process without memory would fail the files after it too, so it ends, and another one tries again.
"""
