"""The index that follows a store from manifest to manifest says what one loaded at once says."""

import random

from storage.filestore.index import Indexes
from storage.filestore.maintenance.compaction import merge_all
from storage.filestore.store_mark import find_layout
from storage.rules import deletion
from storage.testing.samples import SPECS, content, features, record


def answers(index, paths, numbers):
    """Return all that an index says of some tracks and contents."""
    tracks = [record(path, 0).track_id for path in paths]
    contents = [content(number) for number in numbers]
    return {
        "count": index.count(),
        "current": index.current_rows(),
        "ranks": [index.rank(track) for track in tracks],
        "records": [index.record(track) for track in tracks],
        "families": [index.families_of(content_hash) for content_hash in contents],
        "tracks": [index.tracks_of(content_hash) for content_hash in contents],
        "rows": [index.rows(key, content_hash) for key in SPECS for content_hash in contents],
    }


def test_an_index_that_follows_the_store_says_what_a_new_one_says(store, store_folder):
    chance = random.Random(3)
    paths, numbers = [f"/{number}" for number in range(40)], range(30)
    layout = find_layout(store_folder)
    following = Indexes(layout)
    renewed = 0
    for sequence in range(1, 25):
        for path in chance.sample(paths, chance.randint(1, 12)):
            number = chance.choice(numbers)
            known = record(path, number, sequence=sequence)
            if chance.random() < 0.2:
                store.commit(deletion(known, sequence), {}, {})
            else:
                brought = features(number)
                store.commit(known, {key: brought[key] for key in chance.sample(sorted(SPECS), 1)}, SPECS)
        # Parts of a few entries, so that some are merged into others and some stay as they are.
        before = following.newest().manifest.parts
        merge_all(layout, Indexes(layout), part_entries=8)
        fresh, followed = Indexes(layout).newest(), following.newest()
        assert answers(followed, paths, numbers) == answers(fresh, paths, numbers)
        kept = {part.name for part in before} & {part.name for part in followed.manifest.parts}
        renewed += bool(kept) and len(kept) < len(before)
    assert renewed > 3, "some manifests kept a part and dropped another"
