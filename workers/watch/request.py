"""What a watch is to do, and what it did."""

from pipeline.library.folders.left_out import NOTHING, LeftOut
from pipeline.wire import Value
from workers.notices.targets import Target
from workers.runs.request import RunRequest
from workers.watch.arrivals import SETTLE_S


class WatchRequest(Value, frozen=True, kw_only=True):
    """What somebody wants `chordal watch` to do."""

    run: RunRequest
    """The runs that it starts."""
    poll_s: float | None = None
    """Seconds between two walks through the libraries; None to be notified by the kernel where that works."""
    settle_s: float = SETTLE_S
    """How long a file's size and time must stay as they are before it counts as completely written."""
    notify: tuple[Target, ...] = ()
    """Whom to tell of failures, new champions and libraries that are away."""
    learn_after: int | None = None
    """Start learning when so many tracks are new since the last time; None for never."""


class WatchSummary(Value, frozen=True, kw_only=True):
    """What a watch did until it was stopped."""

    batches: int = 0
    extracted: int = 0
    unchanged: int = 0
    failed: int = 0
    removed: int = 0
    learned: int = 0
    """Runs that learned."""
    absences: int = 0
    """How many times a library, or a folder in it, went and was waited for."""
    unreadable: tuple[str, ...] = ()
    """Folders and files that the last walk could not read, with the reason."""
    left_out: LeftOut = NOTHING
    """What the last walk left out."""
    remarks: int = 0
    """Files that were used in part or have a remark of their decoder."""
