"""The mark of a store, `store.json`: finding a store in a folder, or making one there."""

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
    """The content of `store.json`; fields that a newer chordal added are ignored."""

    format: str
    schema: int


def open_layout(root: Path) -> Layout:
    """Return the layout of the store in a folder, for writing; made first where the folder is new or empty.

    Raises `UsageError` naming the folder, the reason and the mend when it cannot be made or written, holds something
    else, or was written by a newer chordal.
    """
    path_text = printable(str(root))
    try:
        mark = _read_mark(root)
        if mark is None or mark.schema < SCHEMA:
            _make(root, older=mark is not None)
        _probe(root)
    except StoreError as error:
        raise UsageError(f"{error}; give a folder that can be written") from error
    except OSError as error:
        what, mend = durable.reason_and_mend(error)
        mend = f"{mend}, or give" if mend else "give"
        raise UsageError(
            f"{path_text}: the store cannot be opened ({what}); {mend} a folder that can be written"
        ) from error
    return Layout(root)


def find_layout(root: Path) -> Layout:
    """Return the layout of an existing store, for reading; nothing is made, changed or probed.

    Raises `UsageError` naming the folder, the reason and the mend when there is none, or it was written by a newer
    chordal.
    """
    path_text = printable(str(root))
    try:
        mark = _read_mark(root)
    except StoreError as error:
        raise UsageError(f"{error}; give the folder of a store") from error
    if mark is None:
        reason = "is no feature store" if root.exists() else "there is no such folder"
        raise UsageError(f"{path_text}: {reason}; `chordal run LIBRARY` makes one in the folder `store` of its home")
    return Layout(root)


def _read_mark(root: Path) -> StoreMark | None:
    """Return the mark of a folder, or None when it has none.

    Raises `UsageError` when it is that of something else or of a newer schema, `StoreError` when it cannot be read.
    """
    path, path_text = root / _MARK, printable(str(root))
    with durable.store_errors(path, "be read"):
        try:
            mark = msgspec.json.decode(path.read_bytes(), type=StoreMark)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path_text}: is no feature store ({_MARK}: {error}); give another folder") from error
    if mark.format != _FORMAT:
        raise UsageError(f"{path_text}: is no feature store but {printable(mark.format)!r}; give another folder")
    if mark.schema > SCHEMA:
        raise UsageError(
            f"{path_text}: was written by a newer chordal (schema {mark.schema}, this one knows {SCHEMA}); "
            "upgrade chordal or give another folder"
        )
    return mark


def _make(root: Path, *, older: bool) -> None:
    """Make the folders of a new store, or those that an older one lacks; the mark is written last, when all exist.

    An older store gets the mark of this schema; its files stay as they are, and can be read as they are.
    """
    durable.make_folder(root)
    # Our own folders may be left of an interrupted start; anything else is somebody's file.
    foreign = set(durable.names_in(root)) - {*FOLDERS, _MARK}
    if foreign and not older:
        raise UsageError(
            f"{printable(str(root))}: is no feature store, it holds {printable(min(foreign))!r}; "
            "give an empty or a new folder"
        )
    for name in FOLDERS:
        durable.make_folder(root / name)
    # All of the grid at once: if made when first needed, each folder would cost a commit one flush more.
    for folder in GRID:
        (root / "inbox" / folder).mkdir(exist_ok=True)
    durable.sync_path(root / "inbox")
    layout = Layout(root)
    if not older and not layout.generations():
        layout.publish_manifest(0, Manifest())
    # Without the checksum of other documents, as older versions of chordal have to read it.
    mark = durable.temporary_path(layout.tmp)
    durable.write_whole(mark, json.dumps({"format": _FORMAT, "schema": SCHEMA}).encode("ascii") + b"\n")
    mark.replace(root / _MARK)
    durable.sync_path(root)


def _probe(root: Path) -> None:
    """Raise unless files can be created, hard-linked and removed in the store, as every commit needs.

    `OSError`, or `StoreError` where no hard link can be made.
    """
    first, second = durable.temporary_path(root / "tmp"), durable.temporary_path(root / "tmp")
    try:
        first.touch()
        try:
            second.hardlink_to(first)
        except OSError as error:
            raise StoreError(f"{printable(str(root))}: cannot be a store ({durable.link_reason(error)})") from error
    finally:
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)
