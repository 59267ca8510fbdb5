"""A summary of a store in numbers: families, tracks, rows, bytes, files, schema, software."""

import json
from collections import Counter
from pathlib import Path

import numpy as np

from pipeline.text import printable
from pipeline.wire import Value
from storage import durable
from storage.features.reader import Features
from storage.features.rows import Track
from storage.filestore.format.hdf5 import open_file
from storage.filestore.layout import SCHEMA
from storage.filestore.rows.extents import locate
from storage.filestore.rows.pieces import bytes_of_row
from storage.ids import Ids, ids


class FamilyInfo(Value, frozen=True, kw_only=True):
    """The summary of one family."""

    key: str
    name: str
    columns: int
    """How many numbers a row has."""
    tracks: int
    """How many files have rows of it."""
    contents: int
    """How many contents have rows of it, those of augmented copies and of deleted files included."""
    rows: int
    """How many rows the tracks have, together."""
    bytes: int
    """The size of the values of all contents."""
    parts: int


class StoreInfo(Value, frozen=True, kw_only=True):
    """The summary of a store."""

    path: str
    schema: int
    software: dict[str, tuple[str, ...]]
    """The versions of the software that wrote the parts, by name."""
    tracks: int
    """How many files there are, failed ones included, deleted ones not."""
    labelled: int
    grouped: int
    failed: int
    families: tuple[FamilyInfo, ...]
    parts: int
    inbox: int
    """How many segments are not compacted yet."""
    damaged: int
    """How many files were set aside."""
    bytes: int
    """The size of all files of the store."""


def inspect(features: Features) -> StoreInfo:
    """Return the summary of a store; reads indexes, no rows. Raises `StoreError` naming what cannot be read."""
    layout = features.layout
    counts: Counter[str] = Counter()
    contents = ids(_count(track, counts).content_hash for track in features.each_track())
    manifest = layout.manifest(layout.generations()[-1])
    parts = Counter(entry.kind for entry in manifest.parts)
    families = tuple(_family(features, key, contents, parts[key]) for key in (spec.key for spec in features.specs))
    with durable.store_errors(layout.root, "be read"):
        schema = json.loads((layout.root / "store.json").read_bytes()).get("schema", SCHEMA)
        size_bytes = sum(path.stat().st_size for path in layout.root.rglob("*") if path.is_file())
    return StoreInfo(
        path=printable(str(layout.root)),
        schema=schema,
        software=_software([layout.parts / entry.name for entry in manifest.parts]),
        tracks=counts["tracks"],
        labelled=counts["labelled"],
        grouped=counts["grouped"],
        failed=counts["failed"],
        families=families,
        parts=sum(parts.values()),
        inbox=sum(1 for _ in layout.segments()),
        damaged=len(durable.names_in(layout.damaged)),
        bytes=size_bytes,
    )


def _count(track: Track, counts: Counter[str]) -> Track:
    """Count a track, and return it."""
    counts["tracks"] += 1
    counts["labelled"] += track.label is not None
    counts["grouped"] += track.group is not None
    counts["failed"] += track.failure is not None
    return track


def _family(features: Features, key: str, contents: Ids, parts: int) -> FamilyInfo:
    spec = features.spec(key)
    extents = locate(features.layout, key)
    at = extents.find(contents)
    return FamilyInfo(
        key=key,
        name=spec.name,
        columns=int(np.prod(spec.row_shape)),
        tracks=int((at >= 0).sum()),
        contents=len(extents),
        rows=int(extents.rows[at[at >= 0]].sum()),
        bytes=bytes_of_row(spec) * int(extents.rows.sum()),
        parts=parts,
    )


def _software(parts: list[Path]) -> dict[str, tuple[str, ...]]:
    versions: dict[str, set[str]] = {}
    for path in parts:
        with open_file(path) as file:
            software = json.loads(bytes(file.attrs["software"]))
        for name, version in software.items():
            versions.setdefault(name, set()).add(version)
    return {name: tuple(sorted(numbers)) for name, numbers in sorted(versions.items())}
