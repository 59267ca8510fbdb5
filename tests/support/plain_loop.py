"""The extraction of a library as a plain loop, without a queue: any run over it must have the same result.

Run as `python plain_loop.py LIBRARY STORE FAMILY`, as a family that is installed for a test is found by new processes
only.
"""

import sys
from pathlib import Path

from pipeline.extraction.extract import extract
from pipeline.features.registry import family
from pipeline.library.scan import scan
from pipeline.library.tags.read import find_tags
from pipeline.library.tracks import ExtractTrack
from storage import FileFeatureStore
from workers.extraction.job import COMPANIONS


def main(library: str, folder: str, name: str) -> None:
    """Extract one family of every file of a library into a new store, one after the other."""
    store = FileFeatureStore.open(Path(folder))
    specs = {spec.key: spec for spec in (family(name).spec, *COMPANIONS)}
    for track in scan([library]):
        order = ExtractTrack(
            run_id="plain",
            shard=0,
            track_id=track.track_id,
            path=track.path,
            stamp=track.stamp,
            sequence=1,
            families=(name,),
        )
        record, rows = extract(
            order,
            path=order.path,
            missing=frozenset(order.families),
            beside=frozenset(spec.name for spec in COMPANIONS),
            max_duration_s=3600.0,
        )
        store.commit(record.replace(tags=find_tags(order.path)), rows, specs)


if __name__ == "__main__":
    main(*sys.argv[1:])
