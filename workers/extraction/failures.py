"""What is recorded as a file's failure, and where."""

import socket

from pipeline.errors import PermanentError

HOST = socket.gethostname()

FILE_ERRORS = (PermanentError, ValueError, TypeError, ArithmeticError, LookupError, RuntimeError, AttributeError)
"""What is recorded as the failure of a file and ends no run: our own errors over it, and those that a numerical library
may raise over a file nobody foresaw.

No `MemoryError`: a process without memory would fail the files after it too, so it ends, and another one tries again.
"""
