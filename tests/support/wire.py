"""The commands that a broker receives from chordal, summed up without what differs by run.

They are read by the server's own MONITOR, so they are what was sent, whatever module sent it.
"""

import base64
import json
import re
import socket
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import reduce
from typing import Any, Self

_ARGUMENT = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_WITHOUT_KEYS = re.compile(
    "AUTH|CLIENT|COMMAND|ECHO|EVAL|EXEC|HELLO|INFO|MULTI|PING|P?(UN)?SUBSCRIBE|PUBLISH|QUIT|SCAN|SCRIPT|SELECT|TIME"
)
_OF_MANY_KEYS = frozenset({"DEL", "EXISTS", "MGET", "UNLINK"})

_NAMES = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (r"events\.out\.tfevents\..*", "EVENTS"),
        (r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
        (r"\d{8}T\d{6}Z", "NIGHT"),
        (r"\b([0-9a-f]{32}|[0-9a-f]{12})\b", "HEX"),
        (r"(?<=manifest/)\d{8}", "NUMBER"),
        (r"(?<=:pace:)\d+", "SLOT"),
        (r"(?<=@)[\w.-]+?(?=$|\.celery\.pidbox)", "HOST"),
    )
)


def anonymous(name: str) -> str:
    """Return a name with each part that differs by run or host replaced by its kind."""
    for pattern, what in _NAMES:
        name = pattern.sub(what, name)
    return name


def fields(value: Any) -> Any:
    """Return the names of the fields in a JSON value, nested; each value that has none is replaced by its kind."""
    if isinstance(value, dict):
        return {anonymous(name): fields(each) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return [reduce(_merge, map(fields, value))] if value else []
    return {bool: "bool", int: "number", float: "number", str: "text", type(None): "null"}[type(value)]


def _merge(one: Any, other: Any) -> Any:
    """Return the union of two results of `fields`; of a value that is null in one, the kind in the other."""
    if "null" in {str(one), str(other)}:
        return other if one == "null" else one
    if isinstance(one, dict) and isinstance(other, dict):
        both = {name: _merge(one[name], other[name]) for name in one.keys() & other.keys()}
        return dict(sorted((one | other | both).items()))
    if isinstance(one, list) and isinstance(other, list):
        return [reduce(_merge, one + other)] if one and other else one or other
    kinds = {*str(one).split(" or "), *str(other).split(" or ")}
    return one if one == other else " or ".join(sorted(kinds))


class Listener:
    """Records all commands that a server on a loopback port receives while the context is open."""

    def __init__(self, port: int) -> None:
        self.commands: list[list[str]] = []
        self._port = port
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def __enter__(self) -> Self:
        self._connection = socket.create_connection(("127.0.0.1", self._port))
        self._lines = self._connection.makefile("rb")
        self._connection.sendall(b"MONITOR\r\n")
        assert self._lines.readline() == b"+OK\r\n"
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)
        self._lines.close()
        self._connection.close()

    def _listen(self) -> None:
        for line in self._lines:
            # The server escapes as Python does.
            arguments = [each.decode("unicode_escape").encode("latin-1") for each in _ARGUMENT.findall(line)]
            self.commands.append([each.decode("utf-8", "surrogateescape") for each in arguments])

    def summary(self) -> dict[str, Any]:
        """Return the tasks with their fields, the keys, and the fields of the documents in them."""
        return {
            "tasks": tasks(self.commands),
            "keys": sorted({anonymous(key.partition("\x06")[0]) for command in self.commands for key in keys(command)}),
            "documents": documents(self.commands),
        }


def keys(command: list[str]) -> list[str]:
    """Return the keys that a command is about."""
    name, *arguments = command
    name = name.upper()
    if _WITHOUT_KEYS.fullmatch(name) or not arguments:
        return []
    if name == "EVALSHA":
        given = arguments[2 : 2 + int(arguments[1])]
        # Whether a broker is fit is tried with keys of its own; it is only asked whether the others could be used.
        own = [key for key in given if key.startswith("chordal:probe:")]
        return own or given
    if name == "BRPOP":
        return arguments[:-1]
    return arguments if name in _OF_MANY_KEYS else arguments[:1]


def tasks(commands: Iterable[list[str]]) -> dict[str, Any]:
    """Return by task its queues, priorities, headers, arguments and limits, as messages have them."""
    by_name: dict[str, Any] = {}
    for queue, message in _messages(commands):
        headers = message["headers"]
        args, kwargs, embedded = json.loads(base64.b64decode(message["body"]))
        facts = by_name.setdefault(headers["task"], defaultdict(set))
        facts["queues"].add(queue)
        facts["priorities"].add(message["properties"]["priority"])
        facts["headers"] |= headers.keys()
        facts["limits"].add(str(headers["timelimit"]))
        facts["args"].add(json.dumps(fields(args)))
        facts["kwargs"].add(json.dumps(fields(kwargs)))
        facts["joined by"] |= {embedded["chord"]["task"]} if embedded.get("chord") else set()
    return {name: {what: sorted(values) for what, values in facts.items()} for name, facts in sorted(by_name.items())}


def documents(commands: Iterable[list[str]]) -> dict[str, Any]:
    """Return by key the fields of the JSON documents that were set, and of the hashes that were counted in."""
    by_key: dict[str, Any] = {}
    for command in commands:
        name = command[0].upper()
        key = anonymous(command[1]) if len(command) > 2 else ""
        if not key.startswith("chordal:"):
            continue
        if name == "SET" and command[2].startswith("{"):
            by_key[key] = fields(json.loads(command[2]))
        elif name in {"HINCRBYFLOAT", "HSETNX"}:
            by_key.setdefault(key, {})[command[2]] = "number"
    return {key: dict(sorted(names.items())) for key, names in sorted(by_key.items())}


def _messages(commands: Iterable[list[str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for command in commands:
        if command[0].upper() == "LPUSH" and command[2].startswith("{"):
            message = json.loads(command[2])
            if "task" in message.get("headers", {}):
                yield command[1].partition("\x06")[0], message
