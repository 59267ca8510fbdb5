"""Splits of drawn tracks: the strategies that the tests of all split strategies share, and their assertions."""

from collections import Counter

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.learning.splits import make_split

drawn_settings = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


def track_rows_of(*, groups):
    """Return a strategy of tracks: label, one of some groups or none, fold, and one of some contents or none."""
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
    side_of = {}
    for side, positions in sides(partition).items():
        for position in positions:
            track = manifest.tracks[position]
            for key in (("content", track.content_hash), ("group", track.group)):
                if key[1] is not None:
                    assert side_of.setdefault(key, side) == side


def split_or_skip(manifest, plan, seed):
    """Return the split, or draw another example where it is refused."""
    try:
        return make_split(manifest, plan, seed=seed)
    except UsageError:
        assume(False)
        raise
