"""The folders that somebody names as libraries, checked before anything is done with them."""

import os
import stat

from pipeline.errors import UsageError
from pipeline.library.folders.exclusions import parse_patterns
from pipeline.library.folders.file_names import SOUND
from pipeline.library.folders.left_out import LeftOutTally, describe_left_out
from pipeline.library.folders.presence import describe_error
from pipeline.library.folders.walk import walk
from pipeline.plans.scan_rules import DEFAULT, ScanRules
from pipeline.text import printable


def check_root(root: str, rules: ScanRules = DEFAULT, *, may_be_empty: bool) -> None:
    """Raise `UsageError` for a library without audio files, and for a bad pattern, before anything is yielded."""
    name = printable(root)
    parse_patterns(rules.exclude, root)
    try:
        mode = os.stat(root).st_mode  # noqa: PTH116 - keeps odd bytes
    except OSError as error:
        if os.path.islink(root):  # noqa: PTH114 - keeps odd bytes
            target = printable(os.readlink(root))  # noqa: PTH115
            raise UsageError(
                f"library {name}: a link to {target}: {describe_error(error)}; is its disk mounted?"
            ) from error
        reason = "no such folder" if isinstance(error, FileNotFoundError) else describe_error(error)
        raise UsageError(f"library {name}: {reason}; name a folder with audio files") from error
    if not stat.S_ISDIR(mode):
        raise UsageError(f"library {name}: a file, not a folder; name the folder it lies in")
    if may_be_empty:
        return
    problems: list[str] = []
    tally = LeftOutTally()

    def note(path: str, reason: str) -> None:
        problems.append(f"{printable(path)} ({reason})")

    if next(walk([root], note, rules, tally), None) is not None:
        return
    unread = f"; could not read {len(problems)}, the first {problems[0]}" if problems else ""
    left_out = "".join(f"; {line}" for line in describe_left_out(tally.total()))
    if tally.excluded:
        raise UsageError(f"library {name}: nothing is left of it{left_out}{unread}; mend the patterns")
    looked_for = ", ".join(f"*.{extension}" for extension in ("wav", "flac", "mp3", "ogg", "aiff"))
    raise UsageError(
        f"no audio files under {name}; looked for {looked_for} and {len(SOUND) - 5} more{unread}{left_out}"
    )
