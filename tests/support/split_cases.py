"""Partings of drawn tracks: what the tests of every split strategy draw, and ask of each partition."""

from collections import Counter

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.learning.splits import make_split

generous = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


def drawn_rows(*, groups):
    """Return what draws tracks: label, one of some groups or none, fold, and a content or none of its own."""
    return st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.none() | st.sampled_from([f"g{number}" for number in range(groups)]),
            st.sampled_from(["1", "2", "3", "10"]),
            st.none() | st.sampled_from(["x", "y", "z"]),
        ),
        min_size=8,
        max_size=40,
    )


def sides(partition):
    """Return the positions on each side, by name."""
    return {"train": partition.train, "validation": partition.validation, "test": partition.test}


def assert_disjoint(partition):
    """No track is on two sides."""
    counted = Counter(position for positions in sides(partition).values() for position in positions)
    assert set(counted.values()) == {1}


def assert_nothing_straddles(manifest, partition):
    """Neither a group nor a content is on two sides."""
    seen = {}
    for side, positions in sides(partition).items():
        for position in positions:
            track = manifest.tracks[position]
            for key in (("content", track.content_hash), ("group", track.group)):
                if key[1] is not None:
                    assert seen.setdefault(key, side) == side


def split_or_skip(manifest, plan, seed):
    """Return the split, or draw another example where it is refused."""
    try:
        return make_split(manifest, plan, seed=seed)
    except UsageError:
        assume(False)
        raise
