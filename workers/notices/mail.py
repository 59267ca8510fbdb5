"""Telling by mail: by the host's sendmail, or a mail server."""

import getpass
import os
import shutil
import smtplib
import socket
import ssl
from contextlib import suppress
from email import policy
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import SplitResult, unquote, urlsplit

from pipeline.text import printable
from workers.notices import command
from workers.notices.errors import RefusedError, UndeliveredError
from workers.notices.notice import Notice
from workers.notices.targets import MASK, MailAddress, parse_mail

SMTP = "CHORDAL_SMTP"
"""The variable that names a mail server: smtp://HOST:25, smtps://USER:PASSWORD@HOST:465."""

LOCAL = "smtp://localhost:25"

_FOLDERS = ("/usr/sbin", "/usr/lib", "/usr/local/sbin")
"""Where sendmail is, though a service's PATH may not lead there."""


def send(address: str, notice: Notice, *, timeout_s: float) -> None:
    """Send a notice to a mailto address; `timeout_s` seconds may pass before each answer.

    Raises `UndeliveredError` when that failed and another attempt may help, `RefusedError` when it would not.
    """
    mail = parse_mail(address)
    url = mail.smtp or os.environ.get(SMTP)
    server = None if url is None else _parse_server(url)
    message = _message(mail, notice, server)
    sendmail = shutil.which("sendmail", path=os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS)))
    if server is None and sendmail is not None:
        words = [sendmail, "-i", "--", *mail.to]
        command.feed(words, message.as_bytes(policy=policy.default), limit_s=timeout_s)
        return
    _send_by_server(server or _parse_server(LOCAL), message, timeout_s=timeout_s)


def _parse_server(url: str) -> SplitResult:
    """Return the parts of a mail server's URL. Raises `RefusedError` for what is none."""
    try:
        parts = urlsplit(url)
        is_known = parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_known = False
    if not is_known:
        raise RefusedError(
            f"{SMTP} is no mail server's address; give smtp://HOST:PORT or smtps://USER:{MASK}@HOST:PORT"
        )
    return parts


def _message(mail: MailAddress, notice: Notice, server: SplitResult | None) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = printable(notice.title)
    message["From"] = mail.sender or _sender(server)
    message["To"] = ", ".join(mail.to)
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid("chordal")
    message["Auto-Submitted"] = "auto-generated"  # no answer of somebody who is away
    message.set_content("\n".join([notice.text, "", *_facts(notice)]) + "\n", cte="quoted-printable")
    return message


def _facts(notice: Notice) -> list[str]:
    facts = {
        "run": notice.run_id,
        "files": ", ".join(f"{count} {name}" for name, count in notice.tracks.items()),
        "mend": notice.mend,
        "report": notice.report,
        "home": notice.home,
        "host": notice.host,
        "time": notice.time,
    }
    return [f"{name}: {printable(value)}" for name, value in facts.items() if value]


def _sender(server: SplitResult | None) -> str:
    """Return who a mail comes from: who logs in to the server, else this user on this host."""
    user = unquote(server.username or "") if server else ""
    if "@" in user:
        return user
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        name = "chordal"  # a container whose user has no name
    return f"{name}@{socket.gethostname() or 'localhost'}"


def _send_by_server(server: SplitResult, message: EmailMessage, *, timeout_s: float) -> None:
    host = server.hostname or ""
    try:
        context = ssl.create_default_context()
        if server.scheme == "smtps":
            client: smtplib.SMTP = smtplib.SMTP_SSL(host, server.port or 465, timeout=timeout_s, context=context)
        else:
            client = smtplib.SMTP(host, server.port or 25, timeout=timeout_s)
        try:
            if server.username:
                _log_in(client, unquote(server.username), unquote(server.password or ""), context)
            refused = client.send_message(message)
            with suppress(OSError, smtplib.SMTPException):
                client.putcmd("quit")  # the mail is taken: what is answered to this, if anything, changes nothing
        finally:
            client.close()
    except (
        smtplib.SMTPRecipientsRefused,
        smtplib.SMTPAuthenticationError,
        smtplib.SMTPSenderRefused,
        smtplib.SMTPNotSupportedError,
    ) as error:
        raise RefusedError(f"{host}: {_reason(error)}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise UndeliveredError(f"{host}: {_reason(error)}") from error
    if refused:
        raise RefusedError(f"{host}: refuses {printable(', '.join(refused))}")


def _log_in(client: smtplib.SMTP, user: str, password: str, context: ssl.SSLContext) -> None:
    if not isinstance(client, smtplib.SMTP_SSL):
        client.ehlo()
        if not client.has_extn("starttls"):
            raise smtplib.SMTPException("offers no TLS, and a password is not sent without")
        client.starttls(context=context)
    client.login(user, password)


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        error = smtplib.SMTPResponseException(*next(iter(error.recipients.values())))
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code < 0:
        words = "does not answer as a mail server does"
    elif isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        words = f"answered {error.smtp_code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
    elif isinstance(error, ssl.SSLCertVerificationError):
        words = f"its certificate is not trusted ({error.verify_message})"
    elif isinstance(error, TimeoutError):
        words = "did not answer in time"
    else:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(" ".join(words.split()))
