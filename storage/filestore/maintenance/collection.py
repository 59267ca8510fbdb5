"""Removing files that nothing refers to: old manifests, parts that no manifest names, files of writers that died."""

import itertools

from storage import durable
from storage.base import GcReport
from storage.filestore import pins
from storage.filestore.layout import Layout


def collect(layout: Layout, *, grace_s: float) -> GcReport:
    """Remove old manifests, parts that no manifest names, and temporary files, all older than `grace_s` seconds.

    Raises `StoreError` when a folder cannot be read or a file cannot be removed.
    """
    with durable.store_errors(layout.root, "be cleaned"):
        now_s = durable.clock_s(layout.tmp)
        temporary = durable.unlink_older(layout.tmp, than_s=grace_s, now_s=now_s)
        # The parts are listed before the manifests are read: one that is published in between is not among them.
        candidates = durable.names_in(layout.parts)
        removed = _collect_manifests(layout, grace_s=grace_s, now_s=now_s)
        manifests = [layout.find_manifest(number) for number in layout.generations()]
        named = {part.name for manifest in manifests if manifest is not None for part in manifest.parts}
        parts = 0
        for name in candidates:
            path = layout.parts / name
            if name not in named and path.exists() and now_s - path.stat().st_mtime > grace_s:
                path.unlink(missing_ok=True)
                parts += 1
    return GcReport(manifests=removed, parts=parts, temporary=temporary)


def _collect_manifests(layout: Layout, *, grace_s: float, now_s: float) -> int:
    """Remove manifests that were superseded more than `grace_s` ago, lowest number first; return how many."""
    removed = 0
    # The pins are read before the manifests are listed: a later pin is of a manifest that is not superseded yet.
    pinned = pins.lowest_pin(layout, now_s=now_s)
    for number, successor in itertools.pairwise(layout.generations()):
        path, newer = layout.manifest_path(number), layout.manifest_path(successor)
        # A snapshot may have been taken of a manifest until its successor was published.
        young = not newer.exists() or now_s - newer.stat().st_mtime <= grace_s
        if young or (pinned is not None and number >= pinned):
            break
        path.unlink(missing_ok=True)
        removed += 1
    return removed
