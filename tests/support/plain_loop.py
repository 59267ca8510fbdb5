"""The extraction of a library as a plain loop, without a queue: any run over it must have the same result.

Run as `python plain_loop.py LIBRARY STORE FAMILY`, as a family that is installed for a test is found by new processes
only.
"""

import sys
from pathlib import Path

from pipeline.extraction.extract import extract
from pipeline.features.registry import family
from pipeline.library.scan import scan
from pipeline.library.tracks import ExtractTrack
from storage import FileFeatureStore


def main(library: str, folder: str, name: str) -> None:
    """Extract one family of every file of a library into a new store, one after the other."""
    store, spec = FileFeatureStore.open(Path(folder)), family(name).spec
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
        store.commit(
            *extract(order, path=order.path, missing=frozenset(order.families), max_duration_s=3600.0), {spec.key: spec}
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
