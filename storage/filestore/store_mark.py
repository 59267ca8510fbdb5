"""Finding a store in a folder, or making one there: what the folder says it is, and whether it can be written."""

import json
from pathlib import Path

import msgspec

from pipeline.errors import StoreError, UsageError
from pipeline.text import printable
from storage import durable
from storage.filestore.layout import FOLDERS, GRID, SCHEMA, Layout, Manifest

_FORMAT = "chordal-feature-store"
_MARK = "store.json"


class StoreMark(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `store.json`; read so that a mark with more in it than is known here still tells these two."""

    format: str
    schema: int


def open_layout(root: Path) -> Layout:
    """Return the layout of the store in a folder to write into, made first where the folder is new or empty.

    Raises `UsageError` naming the folder, the reason and the mend when it cannot be made or written, holds something
    else, or was written by a newer chordal.
    """
    shown = printable(str(root))
    try:
        mark = _read_mark(root)
        if mark is None or mark.schema < SCHEMA:
            _make(root, older=mark is not None)
        _probe(root)
    except StoreError as error:
        raise UsageError(f"{error}; give a folder that can be written") from error
    except OSError as error:
        raise UsageError(
            f"{shown}: the store cannot be opened ({durable.reason(error)}); give a folder that can be written"
        ) from error
    return Layout(root)


def find_layout(root: Path) -> Layout:
    """Return the layout of a store that is there, to read; nothing is made, changed or tried out.

    Raises `UsageError` naming the folder, the reason and the mend when there is none, or it was written by a newer
    chordal.
    """
    shown = printable(str(root))
    try:
        mark = _read_mark(root)
    except StoreError as error:
        raise UsageError(f"{error}; give the folder of a store") from error
    if mark is None:
        reason = "is no feature store" if root.exists() else "there is no such folder"
        raise UsageError(f"{shown}: {reason}; `chordal run LIBRARY` makes one in the folder `store` of its home")
    return Layout(root)


def _read_mark(root: Path) -> StoreMark | None:
    """Return what a folder says it is, or None when it says nothing; refuses what is no store of ours to read."""
    path, shown = root / _MARK, printable(str(root))
    with durable.store_errors(path, "be read"):
        try:
            mark = msgspec.json.decode(path.read_bytes(), type=StoreMark)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{shown}: is no feature store ({_MARK}: {error}); give another folder") from error
    if mark.format != _FORMAT:
        raise UsageError(f"{shown}: is no feature store but {printable(mark.format)!r}; give another folder")
    if mark.schema > SCHEMA:
        raise UsageError(
            f"{shown}: was written by a newer chordal (schema {mark.schema}, this one knows {SCHEMA}); "
            "upgrade chordal or give another folder"
        )
    return mark


def _make(root: Path, *, older: bool) -> None:
    """Make the folders of a new store, or those an older one lacks; the mark comes last and says all are there.

    An older store becomes one of this schema: what it holds stays as it is, and is read as it is.
    """
    durable.make_folder(root)
    # What an interrupted start left behind is ours; anything else in the folder is not.
    foreign = set(durable.names_in(root)) - {*FOLDERS, _MARK}
    if foreign and not older:
        raise UsageError(
            f"{printable(str(root))}: is no feature store, it holds {printable(min(foreign))!r}; "
            "give an empty or a new folder"
        )
    for name in FOLDERS:
        durable.make_folder(root / name)
    # All of the grid at once: a folder of its own for the first segments would cost each of them a flush more.
    for folder in GRID:
        (root / "inbox" / folder).mkdir(exist_ok=True)
    durable.sync_path(root / "inbox")
    layout = Layout(root)
    if not older and not layout.generations():
        layout.publish_manifest(0, Manifest())
    # Without the checksum of other documents: every chordal, older ones too, has to understand it.
    mark = durable.temporary(layout.tmp)
    durable.write_whole(mark, json.dumps({"format": _FORMAT, "schema": SCHEMA}).encode("ascii") + b"\n")
    mark.replace(root / _MARK)
    durable.sync_path(root)


def _probe(root: Path) -> None:
    """Raise `OSError` unless files can be created, named twice and removed here: what every commit will do."""
    first, second = durable.temporary(root / "tmp"), durable.temporary(root / "tmp")
    try:
        first.touch()
        second.hardlink_to(first)
    finally:
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)
