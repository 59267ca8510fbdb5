"""Why a notice was not delivered."""

from pipeline.errors import ChordalError


class UndeliveredError(ChordalError):
    """A notice could not be delivered; another attempt may help."""


class RefusedError(UndeliveredError):
    """A notice was refused, or may have been taken: another attempt at once would not help."""
