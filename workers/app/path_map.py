"""Where a library lies on this host, when that is not where the command that scanned it saw it.

Orders, records and ids keep the paths of the scanning host; they are mapped only when a file is opened.
"""

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value


class PathMap(Value, frozen=True, kw_only=True):
    """A folder as the scanning host names it, and as this one does; absolute, without a slash at the end."""

    there: str
    here: str

    @classmethod
    def parse(cls, text: str) -> "PathMap":
        """Return the mapping that `THERE=HERE` stands for.

        Raises `UsageError` for anything else than two absolute paths.
        """
        there, equals, here = text.partition("=")
        if not equals or not there.startswith("/") or not here.startswith("/"):
            raise UsageError(
                f"map {printable(text)}: not two absolute paths; give THERE=HERE, as /music=/mnt/nas/music"
            )
        return cls(there=there.rstrip("/"), here=here.rstrip("/"))


def parse_all(given: tuple[str, ...]) -> tuple[PathMap, ...]:
    """Return the mappings of a command line. Raises `UsageError` for a mistake, and for a folder mapped twice."""
    maps = tuple(PathMap.parse(text) for text in given)
    names = [each.there for each in maps]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"map {printable(name or '/')}: given twice; leave one out")
    return maps


def local_path(path: str, maps: tuple[PathMap, ...]) -> str:
    """Return where a path of the scanning host lies on this one; the longest mapped folder counts."""
    fitting = [each for each in maps if path == each.there or path.startswith(f"{each.there}/")]
    if not fitting:
        return path
    closest = max(fitting, key=lambda each: len(each.there))
    return (closest.here + path[len(closest.there) :]) or "/"
