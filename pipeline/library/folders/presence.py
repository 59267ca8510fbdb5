"""Whether a folder is there, or the disk that holds it went away: not there is not gone."""

import os

from pipeline.errors import UsageError
from pipeline.text import printable

NOT_MOUNTED = "nothing is mounted there any more; remove the folder if that is for good"


def device_of(root: str) -> tuple[int, bool] | None:
    """Return the device of a folder and whether anything is in it; None when nobody can look into it."""
    try:
        with os.scandir(root) as entries:
            device = os.stat(root).st_dev  # noqa: PTH116 - keeps odd bytes
            return device, next(entries, None) is not None
    except OSError:
        return None


def require_present(root: str, before: tuple[int, bool] | None) -> None:
    """Raise `UsageError` for a folder that could be looked into before the walk and is away or empty after it."""
    if before is None:
        return
    after = device_of(root)
    if after is None or after[0] != before[0] or (before[1] and not after[1]):
        raise UsageError(
            f"library {printable(root)}: went away while it was walked (unmounted?); nothing was marked deleted; "
            "try again when it is back"
        )


def is_empty_folder(path: str) -> bool:
    """Tell whether a path is a folder with nothing in it, as one is that waits for its disk."""
    found = device_of(path)
    return found is not None and not found[1]


def describe_error(error: OSError) -> str:
    """Return why something cannot be read, for the end of a line."""
    return (error.strerror or str(error)).lower()
