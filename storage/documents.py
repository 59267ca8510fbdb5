"""Small JSON documents, each a file that is there whole or not at all and written by exactly one writer.

Each has a CRC-32 of its value, `crc32`, that is checked whenever the document is read; documents of older versions
have none, and are read unchecked.
"""

import json
import re
import zlib
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import StoreError, UsageError
from pipeline.text import printable
from pipeline.wire import Value
from storage import durable

V = TypeVar("V", bound=Value)

_NAME = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_.+-]*(/[A-Za-z0-9_+][A-Za-z0-9_.+-]*)*")


def encode(value: Value) -> bytes:
    """Return a value as a document's JSON, in ASCII, so that paths that are no valid UTF-8 are escaped surrogates."""
    text = _text(value.to_wire())
    return b'%b%b"crc32":"%08x"}\n' % (text[:-1], b"," if len(text) > 2 else b"", zlib.crc32(text))


def decode(data: bytes, kind: type[V], source: Path) -> V:
    """Return the value of a document. Raises `StoreError` naming the file `source` when it is damaged."""
    try:
        wire = json.loads(data)
        if isinstance(wire, dict) and not _is_whole(data, wire, wire.pop("crc32", None)):
            raise ValueError("it fails its CRC-32")  # noqa: TRY301 - reported like the others
        return kind.from_wire(wire)
    except (ValueError, RecursionError) as error:  # JSONDecodeError, UnicodeDecodeError and UsageError are ValueErrors
        raise StoreError(f"{printable(str(source))}: is not a readable {kind.__name__} ({error})") from error


def _text(wire: dict[str, Any]) -> bytes:
    return json.dumps(wire, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _is_whole(data: bytes, wire: dict[str, Any], expected: object) -> bool:
    """Return whether a document's JSON has the `expected` CRC-32, 8 hex digits; True when it has none."""
    if expected is None:
        return True
    before, _, after = data.rpartition(b'"crc32":')
    if after == f'"{expected}"}}\n'.encode() and expected == f"{zlib.crc32(before.removesuffix(b',') + b'}'):08x}":
        return True
    # Formatted by another program: check the value, not the bytes.
    return expected == f"{zlib.crc32(_text(wire)):08x}"


class Documents:
    """The documents below one folder, by names such as `20260101/shards/00001`; safe from threads and processes."""

    def __init__(self, root: Path, *, scratch: str = ".tmp") -> None:
        self.root = root
        self._tmp = root / scratch

    def path(self, name: str) -> Path:
        """Return the file of a document. Raises `UsageError` for a name that is not allowed."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"document {printable(name)!r}: names are letters, digits and _ . + - between slashes")
        return self.root / f"{name}.json"

    def publish(self, name: str, value: Value) -> bool:
        """Write a document unless there is one of that name; False when there was.

        Of several writers at once exactly one gets True. Raises `StoreError`.
        """
        target = self.path(name)
        with durable.store_errors(target, "be written"):
            if target.exists():
                return False
            return durable.publish(self._write(target, value), target)

    def replace(self, name: str, value: Value) -> None:
        """Write a document, in place of the one of that name if there is one. Raises `StoreError`."""
        target = self.path(name)
        with durable.store_errors(target, "be written"):
            self._write(target, value).replace(target)
            durable.sync_path(target.parent)

    def find(self, name: str, kind: type[V]) -> V | None:
        """Return the document of a name, or None when there is none. Raises `StoreError` when it is unreadable."""
        path = self.path(name)
        with durable.store_errors(path, "be read"):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
        return decode(data, kind, path)

    def read(self, name: str, kind: type[V]) -> V:
        """Return the document of a name. Raises `StoreError` when there is none or it is unreadable."""
        value = self.find(name, kind)
        if value is None:
            raise StoreError(f"{printable(str(self.path(name)))}: there is no such document")
        return value

    def exists(self, name: str) -> bool:
        """Return whether there is a document of that name."""
        return self.path(name).exists()

    def names(self, prefix: str) -> list[str]:
        """Return the sorted names of the documents directly in a folder, e.g. of `20260101/shards`."""
        folder = self.path(prefix).with_suffix("")
        with durable.store_errors(folder, "be listed"):
            files = durable.names_in(folder)
        return [f"{prefix}/{name.removesuffix('.json')}" for name in files if name.endswith(".json")]

    def gc(self, *, grace_s: float) -> int:
        """Remove temporary files of writers that died, older than `grace_s` seconds; return how many."""
        with durable.store_errors(self._tmp, "be cleaned"):
            if not self._tmp.is_dir():
                return 0
            return durable.unlink_older(self._tmp, than_s=grace_s, now_s=durable.clock_s(self._tmp))

    def replace_file(self, target: Path, data: bytes) -> None:
        """Write a file that is no document beside them, whole or not at all. Raises `OSError`."""
        self._write_temporary(target, data).replace(target)

    def _write(self, target: Path, value: Value) -> Path:
        return self._write_temporary(target, encode(value))

    def _write_temporary(self, target: Path, data: bytes) -> Path:
        """Write a flushed file under a temporary name, which is returned, and make the folder of `target`."""
        durable.make_folder(self._tmp)
        durable.make_folder(target.parent)
        temporary = durable.temporary_path(self._tmp)
        durable.write_whole(temporary, data)
        return temporary
