"""Tracks that are one recording: of equal content, or as near in their features as two encodings of one.

A fingerprint finds what was re-encoded, resampled, made louder or softer, or trimmed by a moment. It does not find
another performance, a remix, a part of a longer file, nor copies that lost the treble (the lowest bit rates and rates).
"""

import numpy as np

from pipeline.arrays import Float32, Int64
from pipeline.learning.dataset.flaws import DuplicateSet
from pipeline.learning.dataset.manifests import DatasetManifest
from pipeline.learning.dataset.row_reader import RowReader, iterate_rows
from pipeline.learning.splits.fingerprints import FINGERPRINTS, Fingerprint

_NEIGHBOURS = 8
"""Each recording is compared with so many: those nearest in the plane of the strongest differences."""
_DIRECTIONS = 16
_CLIP_SD = 3.0
_LEAST_SD = 0.1
"""Of the deviation over all tracks: where classes lie far apart, the deviation within them counts as at least this."""
_DOUBT = 3
"""So many more tracks count as spread over all classes: of a handful the deviation within a class is unknown."""
_PAIRS_AT_ONCE = 20_000


def same_contents(manifest: DatasetManifest) -> tuple[DuplicateSet, ...]:
    """Return the tracks that share their content."""
    return tuple(
        DuplicateSet(kind="same", tracks=tuple(positions))
        for positions in _by_content(manifest).values()
        if len(positions) > 1
    )


def fingerprint_of(manifest: DatasetManifest) -> Fingerprint | None:
    """Return the fingerprint for a dataset; None when it has no family with one."""
    return next((each for name, each in FINGERPRINTS.items() if name in manifest.families), None)


def near_duplicates(manifest: DatasetManifest, source: RowReader) -> tuple[DuplicateSet, ...]:
    """Return the tracks of different content that sound like one recording; nothing without a fingerprint.

    Reads the rows of one family of all tracks, some at a time; holds one vector per track.
    """
    fingerprint = fingerprint_of(manifest)
    if fingerprint is None:
        return ()
    contents = list(_by_content(manifest).values())
    vectors, with_vector = _vectors(manifest, fingerprint, source, [positions[0] for positions in contents])
    if len(with_vector) < 2:
        return ()
    labels = np.unique([manifest.tracks[contents[number][0]].label for number in with_vector], return_inverse=True)[1]
    pairs, distances = _close_pairs(_scaled(vectors, labels), fingerprint.limit)
    return tuple(
        DuplicateSet(
            kind="near",
            tracks=tuple(sorted(position for number in members for position in contents[with_vector[number]])),
            distance=round(distance, 4),
        )
        for members, distance in _components(len(with_vector), pairs, distances)
    )


def _by_content(manifest: DatasetManifest) -> dict[str, list[int]]:
    """Return the positions of the tracks of each content."""
    by_content: dict[str, list[int]] = {}
    for position, track in enumerate(manifest.tracks):
        by_content.setdefault(track.content_hash, []).append(position)
    return by_content


def _vectors(
    manifest: DatasetManifest, fingerprint: Fingerprint, source: RowReader, positions: list[int]
) -> tuple[Float32, list[int]]:
    """Return the vectors (n, columns) of the tracks that have one, and which of `positions` those are."""
    key = manifest.families[fingerprint.family]
    vectors: list[Float32] = []
    with_vector: list[int] = []
    hashes = [manifest.tracks[position].content_hash for position in positions]
    for number, rows in enumerate(iterate_rows(source, key, hashes)):
        vector = fingerprint.vector(rows.values)
        if vector is not None:
            vectors.append(vector.astype(np.float32))
            with_vector.append(number)
    return np.stack(vectors) if vectors else np.zeros((0, 0), np.float32), with_vector


def _scaled(vectors: Float32, labels: Int64) -> Float32:
    """Return vectors in standard deviations within a class; columns that do not vary are left out."""
    overall = vectors.std(axis=0, dtype=np.float64)
    counts = np.bincount(labels)
    means = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(means, labels, vectors)
    means /= counts[:, None]
    free = len(vectors) - np.count_nonzero(counts)
    within = np.sum((vectors - means[labels]) ** 2, axis=0)
    spread = np.sqrt((within + _DOUBT * overall**2) / (free + _DOUBT))
    spread = np.maximum(spread, _LEAST_SD * overall)
    varies = overall > 1e-6 * np.maximum(np.abs(vectors).max(axis=0), 1e-6)
    scaled: Float32 = ((vectors - vectors.mean(axis=0)) / np.where(varies, spread, 1.0))[:, varies].astype(np.float32)
    return scaled


def _close_pairs(scaled: Float32, limit: float) -> tuple[Int64, Float32]:
    """Return the pairs (m, 2) nearer than a limit, and their distances (m,)."""
    from scipy.spatial import cKDTree

    if not scaled.shape[1]:
        return np.zeros((0, 2), np.int64), np.zeros(0, np.float32)
    # The directions in which tracks differ most; what is near in all columns is near in these.
    clipped = np.clip(scaled, -5, 5)
    _, directions = np.linalg.eigh(clipped.T @ clipped)
    plane = clipped @ directions[:, -_DIRECTIONS:]
    _, nearest = cKDTree(plane).query(plane, k=min(_NEIGHBOURS + 1, len(plane)))
    pairs = np.stack([np.repeat(np.arange(len(plane)), nearest.shape[1]), nearest.reshape(-1)], axis=1)
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    distances = np.concatenate(
        [
            np.minimum(np.abs(scaled[batch[:, 0]] - scaled[batch[:, 1]]), _CLIP_SD).mean(axis=1)
            for batch in np.array_split(pairs, max(len(pairs) // _PAIRS_AT_ONCE, 1))
        ]
    )
    close = distances < limit
    return pairs[close], distances[close]


def _components(count: int, pairs: Int64, distances: Float32) -> list[tuple[list[int], float]]:
    """Return the components that pairs link, lists of numbers below `count`, each with its largest distance."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(pairs):
        return []
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    members: dict[int, list[int]] = {}
    for number in np.unique(pairs).tolist():
        members.setdefault(int(component[number]), []).append(number)
    largest: dict[int, float] = {}
    for (first, _), distance in zip(pairs.tolist(), distances.tolist(), strict=True):
        largest[int(component[first])] = max(distance, largest.get(int(component[first]), 0.0))
    return [(numbers, largest[key]) for key, numbers in members.items()]
