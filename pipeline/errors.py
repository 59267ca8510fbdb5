"""Every error chordal raises on purpose.

    ChordalError
    ├── UsageError            an impossible request: one line, exit status 2
    ├── CancelledError        the run was cancelled: exit status 130
    ├── PermanentError        a file that can never yield features: recorded, the run goes on
    │   ├── UnreadableError   no decoder can make sound of it
    │   ├── EmptyAudioError   no samples at all
    │   ├── TooShortError     fewer samples than the family needs
    │   ├── UnsupportedError  a layout nobody here can use
    │   └── TooLargeError     longer than the bound the owner set
    └── TransientError        worth another attempt: retried with back-off
        ├── StoreError        the store could not be read or written
        └── BrokerError       the broker did not answer

Each takes exactly one message, so that it survives Celery's JSON result backend.
"""

from typing import ClassVar, Literal

FailureKind = Literal["unreadable", "empty", "too_short", "unsupported", "too_large", "timeout", "crashed", "missing"]
"""Why a file has no features; `timeout` and `crashed` come from the worker's parent, not from an exception."""


class ChordalError(Exception):
    """The base of every error chordal raises on purpose."""


class UsageError(ChordalError, ValueError):
    """An impossible request; the message names the thing, the reason and the mend."""


class CancelledError(ChordalError):
    """The run was cancelled; what was done is kept."""


class PermanentError(ChordalError):
    """The file can never yield features as it stands."""

    kind: ClassVar[FailureKind] = "unreadable"


class UnreadableError(PermanentError):
    """No decoder can make sound of the file."""


class MissingError(PermanentError, FileNotFoundError):
    """The file went away between the scan and the task."""

    kind: ClassVar[FailureKind] = "missing"


class EmptyAudioError(PermanentError):
    """The file holds no samples."""

    kind: ClassVar[FailureKind] = "empty"


class TooShortError(PermanentError):
    """The file holds fewer samples than the family needs."""

    kind: ClassVar[FailureKind] = "too_short"


class UnsupportedError(PermanentError):
    """The file's layout (channels, rate, sample values) is one that nothing here can use."""

    kind: ClassVar[FailureKind] = "unsupported"


class TooLargeError(PermanentError):
    """The file is longer than the bound the owner set."""

    kind: ClassVar[FailureKind] = "too_large"


class TransientError(ChordalError):
    """Worth another attempt after a pause."""


class StoreError(TransientError, OSError):
    """The store could not be read or written."""


class BrokerError(TransientError, ConnectionError):
    """The broker did not answer."""
