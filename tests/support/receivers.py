"""Receivers of notices: a web server that answers as told, a mail server, and commands."""

import json
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class WebReceiver:
    """What a web server on this host was sent."""

    port: int
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/a-secret-topic"

    @property
    def events(self) -> list[str]:
        return [body["event"] for body in self.bodies]


@contextmanager
def web(*answers: int | tuple[int, str] | None) -> Iterator[WebReceiver]:
    """Serve on a free port: each answer is a status, one with a Location, or None for no answer ever; then 200."""
    left = list(answers)
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.bodies.append(json.loads(body))
            receiver.headers.append(dict(self.headers))
            receiver.paths.append(self.path)
            answer = left.pop(0) if left else 200
            if answer is None:
                ended.wait(60)
                return
            status, place = answer if isinstance(answer, tuple) else (answer, "")
            self.send_response(status)
            if place:
                self.send_header("Location", place)
            self.end_headers()

        def do_GET(self) -> None:
            receiver.paths.append(f"GET {self.path}")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver = WebReceiver(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            ended.set()
            server.shutdown()
            thread.join()


@dataclass
class MailReceiver:
    """What a mail server on this host was sent."""

    port: int
    mails: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


@contextmanager
def mail_server(*, refuses: bool = False, farewell: str = "221 bye") -> Iterator[MailReceiver]:
    """Serve enough of SMTP (RFC 5321) on a free port; one that `refuses` knows no recipient."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            for line in iter(self.rfile.readline, b""):
                word = line[:4].upper().strip()
                if word == b"RCPT":
                    receiver.recipients.append(line.decode().strip())
                    self._say("550 no such user" if refuses else "250 ok")
                elif word == b"DATA":
                    self._say("354 go on")
                    receiver.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                    self._say("250 taken")
                else:
                    self._say(farewell if word == b"QUIT" else "250 ok")
                if word == b"QUIT":
                    return

        def _say(self, text: str) -> None:
            with suppress(OSError):  # nobody waits for a farewell
                self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        receiver = MailReceiver(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def command(folder: Path, body: str, name: str = "alert") -> Path:
    """Return a program of the shell that is told; `$FOLDER` in it is the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\nFOLDER='{folder}'\n{body}\n", "utf-8")
    path.chmod(0o755)
    return path


def targets(*texts: Any) -> Sequence[str]:
    """Return the options that name somebody to be told."""
    return [word for text in texts for word in ("--notify", str(text))]
