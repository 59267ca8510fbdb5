"""Words for people: what is safe to print."""


def printable(path: str) -> str:
    """Return a path for people: one line, valid UTF-8, with odd bytes and control characters escaped."""
    shown = path.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown)
