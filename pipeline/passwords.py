"""Passwords in addresses: how they are hidden from people, and which are written in a way that is not read as meant."""

import re

from pipeline.text import printable

ESCAPES = "write characters such as @ : / ? # [ ] % in a password as %40 %3A %2F %3F %23 %5B %5D %25"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_NEXT = re.compile(rf";(?={_SCHEME.pattern})")
_PLAIN = re.compile(r"[\w.~-]*")
_USER = re.compile(r"[\w.%+~-]*")
_QUERY_PASSWORD = re.compile(r"([?&]\w*password=)(.*?)(?=&\w+=|$)", re.DOTALL | re.IGNORECASE)

_HOST = r"([\w.~%-]*|\[[\w:.%]*\])(:\d*)?"
_PLACE = re.compile(_HOST + r"([/?].*)?", re.DOTALL)
"""What stands behind the user and password, or alone: a host, and what is asked for there."""
_DATABASE = re.compile(_HOST + r"(/\d*/?)?(\?\w+=.*)?", re.DOTALL)

_DATABASES = {"redis://", "rediss://", "sentinel://"}
_HOSTS = {*_DATABASES, "amqp://", "http://", "https://"}


def without_password(text: str) -> str:
    """Return an address, or several with semicolons between them, with `***` for each password.

    Where characters in a password are not escaped, all is hidden that may belong to it.
    """
    return printable(";".join(_mask(address) for address in _NEXT.split(text)))


def has_odd_password(text: str) -> bool:
    """Return whether what may be a user or a password in addresses has characters that want an escape there."""
    return any(not _PLAIN.fullmatch(word) for address in _NEXT.split(text) for word in _secrets(address))


def _mask(address: str) -> str:
    found = _SCHEME.search(address)
    start = found.end() if found else 0
    scheme, rest = address[:start], _QUERY_PASSWORD.sub(r"\1***", address[start:])
    if found and found[0] not in _HOSTS and rest.startswith("/"):
        return scheme + rest  # a file or a socket
    userinfo, at, place = rest.rpartition("@")
    if not at:
        host, colon, _ = rest.partition(":")
        form = _DATABASE if found and found[0] in _DATABASES else _PLACE
        return scheme + (rest if form.fullmatch(rest) else f"{host if colon else ''}{colon}***")
    if not _PLACE.fullmatch(place):
        place = f"{place.partition(':')[0]}:***"  # an unescaped @ of the user, and the password behind it
    user, colon, _ = userinfo.partition(":")
    # A word alone is a password as often as a user.
    return f"{scheme}{user}:***@{place}" if colon and _USER.fullmatch(user) else f"{scheme}***@{place}"


def _secrets(address: str) -> list[str]:
    userinfo, _, _ = address.partition("://")[2].rpartition("@")
    return [*userinfo.split(":", 1), *(password for _, password in _QUERY_PASSWORD.findall(address))]
