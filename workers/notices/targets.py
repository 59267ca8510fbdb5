"""Whom a notice goes to, as a user names it: a command, a page on the web, a mail address."""

import os
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value

FORMS = "a command, https://HOST/PATH or mailto:SOMEBODY@HOST"

NOBODY = "none"

MASK = "***"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
UNSAFE = re.compile(r"[^!-~]|[\"<>\\^`{|}]")
"""What stands in no URL as it is: anything but printable ASCII, and a few signs of that."""
_HOST = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?/")
"""How a URL begins whose scheme was forgotten; what follows may be a secret."""
_MAIL_OPTIONS = ("smtp", "from")


class Target(Value, frozen=True, kw_only=True):
    """Somebody who is told."""

    kind: Literal["command", "web", "mail"]
    address: str
    """The words of a command, a URL or a mailto address; it may hold a secret."""

    @property
    def masked(self) -> str:
        """The target for people: of a URL the server, of a command the program; a token may stand in the rest."""
        if self.kind == "mail":
            return printable(self.address)
        if self.kind == "web":
            parts = urlsplit(self.address)
            rest = f"/{MASK}" if parts.path.strip("/") or parts.query else ""
            return printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{rest}")
        program, *others = shlex.split(self.address)
        return printable(program) + (f" {MASK}" if others else "")

    @property
    def words(self) -> list[str]:
        """The words of a command."""
        return shlex.split(self.address)


class MailAddress(Value, frozen=True, kw_only=True):
    """A mailto address in its parts."""

    to: tuple[str, ...]
    sender: str | None = None
    smtp: str | None = None
    """The server, `smtp://HOST:PORT` or `smtps://HOST:PORT`; None for the host's own."""


def parse_target(text: str) -> Target:
    """Return the target that a user named.

    Raises `UsageError` for what is none, in a line that shows no secret.
    """
    text = text.strip()
    scheme = _SCHEME.match(text)
    kind = scheme[1].lower() if scheme else ""
    if kind in {"http", "https"}:
        return Target(kind="web", address=_checked_url(text))
    if kind == "mailto":
        parse_mail(text)
        return Target(kind="mail", address=text)
    if scheme and (text[scheme.end() :].startswith("//") or shutil.which(text.split()[0]) is None):
        raise UsageError(f"notify {printable(kind)}:{MASK}: an unknown scheme; give {FORMS}")
    return Target(kind="command", address=_checked_command(text))


def parse_targets(texts: Sequence[str]) -> tuple[Target, ...]:
    """Return the targets that a user named, none for `none`. Raises `UsageError` as `parse_target` does."""
    if NOBODY in texts:
        if len(texts) > 1:
            raise UsageError(f"notify: {NOBODY} and somebody; give {NOBODY} alone to tell nobody")
        return ()
    found = [each for text in texts for each in _each_alone(parse_target(text))]
    return tuple({target.address: target for target in found}.values())


def _each_alone(target: Target) -> list[Target]:
    """Return a target for each of several mail addresses: one that is refused is tried again without the others."""
    if target.kind != "mail" or "," not in target.address.partition("?")[0]:
        return [target]
    scheme, _, rest = target.address.partition(":")
    names, mark, query = rest.partition("?")
    return [target.replace(address=f"{scheme}:{name}{mark}{query}") for name in names.split(",")]


def mask(text: str) -> str:
    """Return what a user named as a target without secrets, though it may be none."""
    try:
        return NOBODY if text == NOBODY else parse_target(text).masked
    except UsageError:
        return MASK


def parse_mail(text: str) -> MailAddress:
    """Return the parts of a mailto address. Raises `UsageError` for a mistake."""
    shown = f"notify {printable(text.partition('?')[0])}"
    form = "give mailto:SOMEBODY@HOST, with ?smtp=HOST:PORT for a mail server of your own"
    if _BROKEN_PERCENT.search(text) or re.search(r"\s", text):
        raise UsageError(f"{shown}: a space or a lone % in it; {form}")
    _, _, rest = text.partition(":")
    if rest.startswith("/"):
        raise UsageError(f"{shown}: no slashes stand before a mail address; {form}")
    names, _, query = rest.partition("?")
    to = tuple(unquote(name) for name in names.split(","))
    for name in to:
        if not _is_mail_address(name):
            raise UsageError(f"{shown}: {printable(name) or 'nobody'} is no mail address; {form}")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(options) - {*_MAIL_OPTIONS}):
        raise UsageError(f"{shown}: knows no {printable(unknown[0])}; {form}")
    sender = options.get("from")
    if sender is not None and not _is_mail_address(sender):
        raise UsageError(f"{shown}: from={printable(sender)} is no mail address; {form}")
    smtp = options.get("smtp")
    return MailAddress(to=to, sender=sender, smtp=None if smtp is None else _checked_smtp(shown, smtp))


def _checked_url(text: str) -> str:
    """Return a URL. Raises `UsageError` for a mistake."""
    shown = f"notify {text.partition(':')[0]}://{MASK}"
    if _BROKEN_PERCENT.search(text):
        raise UsageError(f"{shown}: a % in it is followed by no two hex digits; write a % itself as %25")
    if unsafe := UNSAFE.search(text):
        raise UsageError(
            f"{shown}: {printable(unsafe[0])!r} cannot stand in a URL; write it percent-encoded (a space is %20)"
        )
    try:
        parts = urlsplit(text)
        if not parts.hostname or parts.port == 0:
            raise ValueError("no host")  # noqa: TRY301 - reported like the others
    except ValueError as error:
        raise UsageError(f"{shown}: not a URL ({error}); give https://HOST/PATH") from error
    return text


def _checked_smtp(shown: str, smtp: str) -> str:
    """Return the URL of a mail server. Raises `UsageError` for a mistake."""
    form = "give ?smtp=HOST:PORT"
    if "@" in smtp:
        raise UsageError(f"{shown}: a name and password belong into the variable CHORDAL_SMTP; {form}")
    url = smtp if "://" in smtp else f"smtp://{smtp}"
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"smtp", "smtps"} and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or UNSAFE.search(url):
        raise UsageError(f"{shown}: smtp={printable(smtp)} is no mail server; {form}")
    return url


def _checked_command(text: str) -> str:
    """Return a command with the absolute path of its program: a service has another folder and another PATH.

    Raises `UsageError` for a program that is not there or cannot be started.
    """
    if "/" in text and (whole := shutil.which(os.path.expanduser(text))) is not None:  # noqa: PTH111 - as below
        return shlex.join([str(Path(whole).absolute())])  # a path with blanks or quotes in it
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"notify: the command cannot be read ({str(error).lower()}); mind its quotes") from error
    if not words or "\0" in text:
        raise UsageError(f"notify: nobody is named; give {FORMS}")
    name = os.path.expanduser(words[0])  # noqa: PTH111 - `Path` would take ./ from a program's name
    program = shutil.which(name)
    if program is None and (host := _HOST.match(name)) is not None and not Path(name).exists():
        raise UsageError(f"notify {host[0]}{MASK}: no such command here, and a URL begins with https://")
    if program is None:
        raise UsageError(f"notify {printable(words[0])}: {_why_not(name)}; give {FORMS}")
    return shlex.join([str(Path(program).absolute()), *words[1:]])


def _why_not(name: str) -> str:
    """Return in words why a program cannot be started."""
    path = Path(name)
    if "/" not in name:
        return "no mail address without mailto:" if _is_mail_address(name) else "no such command here"
    if path.is_dir():
        return "is a folder"
    return "is not executable (chmod +x)" if path.exists() else "no such command here"


def _is_mail_address(text: str) -> bool:
    name, at, host = text.rpartition("@")
    return bool(name and at and host) and not re.search(r"[\s,;<>()\x00-\x1f\x7f]|@.*@", text)
