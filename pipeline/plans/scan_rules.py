"""What of a library is scanned, and how what is found becomes labels."""

from pipeline.plans.vocabulary import Vocabulary
from pipeline.wire import Value


class ScanRules(Value, frozen=True, kw_only=True):
    """The rules of a scan beside where labels, groups and folds come from."""

    exclude: tuple[str, ...] = ()
    """Patterns of files and folders that are left out."""
    include_hidden: bool = False
    """Whether names that begin with a dot are scanned too."""
    vocabulary: str | None = None
    """A vocabulary's name, or the absolute path of its file; None folds nothing."""
    multi: bool = False
    """Whether a track has all the labels found for it, or the first one alone."""
    cue: bool = True
    """Whether cue sheets cut album files into tracks."""
    folding: Vocabulary | None = None
    """The vocabulary as it was when the run was requested, complete; its file may change later. None in the rules of a
    schedule, whose nights each read it anew."""


DEFAULT = ScanRules()
