"""A folder of files made from a plan: completed when it was cut short, replaced when the plan has changed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.wire import Value

RECORD = "library.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticLibrary:
    """A library on disk that a recipe may learn from."""

    path: Path
    """A folder of sounds, or an NPZ file to be imported."""
    labels: str = ""
    """Its label source, as for `--labels`; empty for an NPZ file, which has its own."""
    family: str = ""
    """The feature family whose rows an NPZ file has."""
    written: int = 0
    """How many files had to be written; 0 when all were there."""


class _Record(Value, frozen=True, kw_only=True):
    """The content of `library.json`: the plan of the library, and the names of its files."""

    plan: dict[str, Any]
    files: tuple[str, ...]


class Item(NamedTuple):
    """One file: its name below the folder, and what makes its bytes, called only when it is missing."""

    name: str
    make: Callable[[], bytes]


def complete(folder: Path, plan: dict[str, Any], items: Iterable[Item]) -> int:
    """Write what is missing of a library, and return how many files that were.

    The files of a library of another plan are replaced, and no others. Raises `UsageError` when the folder holds
    anything else, or cannot be written.
    """
    files = list(items)
    record = _Record(plan=plan, files=tuple(item.name for item in files))
    path = printable(str(folder))
    try:
        existing = _existing_record(folder, path)
        if existing != record:
            for name in existing.files if existing else ():
                (folder / name).unlink(missing_ok=True)
            # Written before the files: what is cut short is completed by the next call.
            _put(folder / RECORD, msgspec.json.format(msgspec.json.encode(record)))
        missing = [item for item in files if not (folder / item.name).exists()]
        for item in missing:
            _put(folder / item.name, item.make())
    except OSError as error:
        raise UsageError(f"library {path}: cannot be written ({error.strerror or error})") from error
    return len(missing)


def _existing_record(folder: Path, path: str) -> _Record | None:
    """Return the record of the library in a folder; None for a new or empty one."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=_Record)
    except FileNotFoundError:
        if folder.is_dir() and any(folder.iterdir()):
            raise UsageError(f"library {path}: the folder holds other files; move them away") from None
        return None
    except msgspec.MsgspecError as error:
        raise UsageError(f"library {path}: {RECORD} is not what chordal wrote ({error}); delete the folder") from error


def _put(target: Path, content: bytes) -> None:
    """Write a file so that it is there completely or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(content)
    part.replace(target)
