"""What the rows of the `flow` table do without a queue: the same extraction as a plain loop, and that of a song."""

from pathlib import Path

MAX_S = 3600.0


def loop(library, folder, family_name):
    """Extract every file of a library into a new store, one after the other."""
    from pipeline.extraction.extract import extract
    from pipeline.features.registry import family
    from pipeline.library.scan import scan
    from pipeline.library.tracks import ExtractTrack
    from storage import FileFeatureStore

    store = FileFeatureStore.open(Path(folder))
    spec = family(family_name).spec
    orders = [
        ExtractTrack(
            run_id="bench", shard=0, track_id=track.track_id, path=track.path, stamp=track.stamp, sequence=1,
            families=(family_name,),
        )
        for track in scan([library])
    ]  # fmt: skip

    def work():
        for order in orders:
            record, rows = extract(order, path=order.path, missing=frozenset(order.families), max_duration_s=MAX_S)
            store.commit(record, rows, {spec.key: spec})

    return work


def song(path, families):
    """Extract some families of one long file, and commit nothing."""
    from pipeline.extraction.extract import extract
    from pipeline.library.folders.walk import stamp_of
    from pipeline.library.tracks import ExtractTrack, track_id

    order = ExtractTrack(
        run_id="bench", shard=0, track_id=track_id(path), path=path, stamp=stamp_of(path), sequence=1,
        families=tuple(families),
    )  # fmt: skip
    return lambda: extract(order, path=order.path, missing=frozenset(families), max_duration_s=MAX_S)
