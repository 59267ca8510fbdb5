"""Telling a page on the web: a POST with the notice as JSON."""

import http.client
import ipaddress
import json
import ssl
from base64 import b64encode
from typing import IO, Any
from urllib import error as url_errors
from urllib import request as url_requests
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from pipeline.text import printable
from pipeline.versions import own_version
from workers.notices.errors import RefusedError, UndeliveredError
from workers.notices.notice import Notice
from workers.notices.targets import UNSAFE

LATER = frozenset({408, 425, 429})
"""Answers that ask to come again, among those that blame the sender."""
REDIRECTS = 5

# ntfy shows these fields of the JSON then, not the JSON; other servers do not know these headers.
TEMPLATE = {"X-Template": "yes", "X-Title": "{{.title}}", "X-Message": "{{.text}}"}


def post(url: str, notice: Notice, *, timeout_s: float) -> None:
    """Post a notice to a URL.

    Raises `UndeliveredError` when that failed and another attempt may help, `RefusedError` when it would not.
    """
    # Under the names that Slack and Mattermost, Gotify and Discord show.
    wire = {**notice.to_wire(), "message": notice.text, "content": notice.text}
    data = json.dumps(wire).encode("ascii")
    for _ in range(REDIRECTS):
        found = _post_once(url, data, timeout_s)
        if found is None:
            return
        url = _followed(url, found)
    raise RefusedError(f"sent on more than {REDIRECTS} times")


def _followed(url: str, found: str) -> str:
    """Return the URL that an answer sends on to. Raises `RefusedError` for one that is not followed."""
    try:
        found = urljoin(url, found)
        parts = urlsplit(found)
        is_url = bool(parts.hostname) and parts.port != 0 and UNSAFE.search(found) is None
    except ValueError:
        is_url = False
    if not is_url:  # not shown: it may hold the same secret
        raise RefusedError("sends on to no page of the web, which is not followed")
    if parts.scheme not in {"https", urlsplit(url).scheme}:
        raise RefusedError(f"sends on to {printable(parts.scheme)}:, which is not followed")
    return found


def _post_once(url: str, data: bytes, timeout_s: float) -> str | None:
    """Post to one URL; return the one that it sends on to, or None when it took the notice."""
    parts = urlsplit(url)
    headers = {"Content-Type": "application/json", "User-Agent": f"chordal/{own_version()}", **TEMPLATE}
    if parts.username is not None:
        words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(words.encode()).decode()}"
    host = parts.netloc.rpartition("@")[2]
    plain = urlunsplit(parts._replace(netloc=host, fragment=""))
    request = url_requests.Request(plain, data, headers, method="POST")  # noqa: S310 - http or https
    handlers: list[Any] = [_NoRedirect()]
    if _is_loopback(parts.hostname or ""):
        handlers.append(url_requests.ProxyHandler({}))
    try:
        with url_requests.build_opener(*handlers).open(request, timeout=timeout_s):
            return None
    except url_errors.HTTPError as error:
        with error:
            return _judge(error)
    except url_errors.URLError as error:
        raise UndeliveredError(_reason(error.reason)) from error
    except TimeoutError as error:  # it was posted
        raise RefusedError(_reason(error)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UndeliveredError(_reason(error)) from error


class _NoRedirect(url_requests.HTTPRedirectHandler):
    """Leaves an answer that sends on as it is: urllib would go there with a GET, and lose what is posted."""

    def redirect_request(self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


def _judge(error: url_errors.HTTPError) -> str | None:
    """Return where an answer sends on to, as it says it, or None when that means that it was taken.

    Raises as `post` does.
    """
    place = error.headers.get("Location")
    if error.code in {301, 302, 307, 308} and place:
        return str(place)
    if error.code == 303:  # "look at the result elsewhere"
        return None
    text = printable(f"answered {error.code} {error.reason or ''}".strip())
    if 400 <= error.code < 500 and error.code not in LATER:
        raise RefusedError(text)
    raise UndeliveredError(text)


def _reason(error: object) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(" ".join(str(words).split()))


def _is_loopback(host: str) -> bool:
    """Tell whether a host is this one, which no proxy knows."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
