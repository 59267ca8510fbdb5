"""A store in memory with synthetic rows, and studies over it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from pipeline.features.spec import FeatureRows
from pipeline.learning.dataset.load import build_manifest
from pipeline.learning.dataset.manifests import DatasetManifest, DatasetTrack
from pipeline.library.tracks import Failure, FileStamp, ScannedTrack, TrackRecord, track_id
from pipeline.plans.recipe import ModelChoice, Recipe
from pipeline.plans.search import SearchPlan
from pipeline.plans.split import SplitPlan

KEY = "frame_stats-000000000000"
FAMILIES = {"frame_stats": KEY}


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(kw_only=True)
class MemorySource:
    """A row source that records the contents whose rows were read."""

    stored: dict[tuple[str, str], FeatureRows] = field(default_factory=dict)
    records: dict[str, TrackRecord] = field(default_factory=dict)
    requested: list[str] = field(default_factory=list)

    def rows(self, family_key: str, content_hashes: Sequence[str]) -> list[FeatureRows]:
        self.requested += content_hashes
        return [self.stored[family_key, content] for content in content_hashes]

    def record(self, track_id: str) -> TrackRecord | None:
        return self.records.get(track_id)

    def families_of(self, content_hash: str) -> frozenset[str]:
        return frozenset(key for key, content in self.stored if content == content_hash)


@dataclass(kw_only=True)
class Library:
    """Scanned tracks and the store that holds their rows."""

    source: MemorySource = field(default_factory=MemorySource)
    scanned: list[ScannedTrack] = field(default_factory=list)

    def add(self, name, label, values=None, *, group=None, fold=None, content=None, key=KEY, failure=None, **family):
        """Add a track; `values` (rows, *shape) are stored unless None; returns its id."""
        path = f"/library/{name}"
        stamp = FileStamp(size_bytes=1, mtime_ns=1)
        content = digest(content or name)
        track = ScannedTrack(track_id=track_id(path), path=path, stamp=stamp, label=label, group=group, fold=fold)
        self.scanned.append(track)
        self.source.records[track.track_id] = TrackRecord(
            track_id=track.track_id,
            path=path,
            stamp=stamp,
            sequence=1,
            content_hash=content,
            failure=failure and Failure(kind="unreadable", reason=failure),
            family_failures={k: Failure(kind="too_short", reason=reason) for k, reason in family.items()},
        )
        if values is not None:
            values = np.asarray(values, np.float32)
            self.source.stored[key, content] = FeatureRows(
                values=values,
                start_s=np.arange(len(values), dtype=np.float32),
                channel=np.full(len(values), -1, np.int8),
            )
        return track.track_id

    def manifest(self) -> DatasetManifest:
        return build_manifest("run-1", self.scanned, self.source, FAMILIES)


@pytest.fixture
def library() -> Library:
    """An empty library."""
    return Library()


@pytest.fixture
def blobs() -> Callable[..., Library]:
    """Make a library of classes that lie apart: count tracks, of `rows` rows of `shape`, in folds when asked."""

    def make(count=36, *, classes=3, rows=2, shape=(6,), apart=2.0, folds=0, seed=0):
        random = np.random.default_rng(seed)
        made = Library()
        for number in range(count):
            of_class = number % classes
            values = random.normal(size=(rows, *shape))
            values[..., of_class] += apart
            fold = str(number // classes % folds + 1) if folds else None
            made.add(f"{number:03}.wav", f"class {of_class}", values, fold=fold)
        return made

    return make


@pytest.fixture
def manifest_of() -> Callable[..., DatasetManifest]:
    """Make a manifest straight from (label, group, fold, content) tuples."""

    def make(rows):
        tracks = tuple(
            DatasetTrack(
                track_id=digest(f"id {number}"),
                content_hash=digest(content if content is not None else f"content {number}"),
                path=f"/library/{number}.wav",
                label=label,
                group=group,
                fold=fold,
            )
            for number, (label, group, fold, content) in enumerate(rows)
        )
        classes = tuple(sorted({track.label for track in tracks}))
        return DatasetManifest(run_id="run-1", families=FAMILIES, classes=classes, tracks=tracks)

    return make


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    """Make a recipe over the synthetic rows: model families, trials, ensemble, refit, split."""

    def make(*families, trials=None, ensemble=1, refit=True, split=None, fixed=None):
        return Recipe(
            name="made",
            title="Made for a test",
            models=tuple(
                ModelChoice(family=f, features="frame_stats", fixed=(fixed or {}).get(f, {})) for f in families
            ),
            split=split or SplitPlan(),
            search=SearchPlan(trials=trials or len(families), ensemble=ensemble, refit=refit),
        )

    return make
