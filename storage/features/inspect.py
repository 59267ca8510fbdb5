"""What a store holds, in numbers: families, tracks, rows, bytes, files, schema, software."""

import json
from collections import Counter
from pathlib import Path

import numpy as np

from pipeline.text import printable
from pipeline.wire import Value
from storage import durable
from storage.features.reader import Features, pack_contents
from storage.features.rows import Track
from storage.filestore.format.codec import Ids
from storage.filestore.format.hdf5 import open_file
from storage.filestore.layout import SCHEMA
from storage.filestore.rows.extents import locate


class FamilyInfo(Value, frozen=True, kw_only=True):
    """What is stored of one family."""

    key: str
    name: str
    columns: int
    """Numbers per row."""
    tracks: int
    """Files that have rows of it."""
    contents: int
    """Contents stored, those of augmented copies and of files that are gone included."""
    rows: int
    """Rows of the tracks."""
    bytes: int
    """Bytes of all contents' values."""
    parts: int


class StoreInfo(Value, frozen=True, kw_only=True):
    """What a store holds."""

    path: str
    schema: int
    software: dict[str, tuple[str, ...]]
    """Versions of the software that wrote the parts, by name."""
    tracks: int
    """Files, failed ones included, deleted ones not."""
    labelled: int
    grouped: int
    failed: int
    families: tuple[FamilyInfo, ...]
    parts: int
    inbox: int
    """Segments that wait for a compaction."""
    damaged: int
    """Files set aside."""
    bytes: int
    """Bytes of all files of the store."""


def inspect(features: Features) -> StoreInfo:
    """Return what a store holds; reads its indexes, and no rows. Raises `StoreError` naming what cannot be read."""
    layout = features.layout
    counts: Counter[str] = Counter()
    contents = pack_contents(_counted(track, counts) for track in features.each_track())
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


def _counted(track: Track, counts: Counter[str]) -> Track:
    counts["tracks"] += 1
    counts["labelled"] += track.label is not None
    counts["grouped"] += track.group is not None
    counts["failed"] += track.failure is not None
    return track


def _family(features: Features, key: str, contents: Ids, parts: int) -> FamilyInfo:
    spec = features.spec(key)
    found = locate(features.layout, key)
    at = found.find(contents)
    numbers = int(np.prod(spec.row_shape))
    return FamilyInfo(
        key=key,
        name=spec.name,
        columns=numbers,
        tracks=int((at >= 0).sum()),
        contents=len(found),
        rows=int(found.rows[at[at >= 0]].sum()),
        bytes=4 * numbers * int(found.rows.sum()),
        parts=parts,
    )


def _software(parts: list[Path]) -> dict[str, tuple[str, ...]]:
    versions: dict[str, set[str]] = {}
    for path in parts:
        with open_file(path) as file:
            told = json.loads(bytes(file.attrs["software"]))
        for name, version in told.items():
            versions.setdefault(name, set()).add(version)
    return {name: tuple(sorted(found)) for name, found in sorted(versions.items())}
