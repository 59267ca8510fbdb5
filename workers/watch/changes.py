"""A change in a watched library."""

from typing import Literal

from pipeline.wire import Value

Kind = Literal["written", "closed", "created", "deleted", "moved", "folder", "walk", "gone"]


class FileChange(Value, frozen=True, kw_only=True):
    """A change of a file, or of a folder as a whole.

    A file that is renamed within a library is `moved` under its old name and `created` under the new one; one that is
    moved out of it is `deleted`. One is `closed` after it was `written`. A `folder` came as a whole; one has to be
    walked (`walk`), since not all of its changes are known; one is `gone` with all that is in it, which is no removal.
    """

    kind: Kind
    path: str
