"""Where a long recording is cut."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.plans.chunks import check_length, chunks_of


@settings(deadline=None)
@given(duration_s=st.floats(0, 5e3), chunk_s=st.floats(1, 100))
def test_chunks_lie_end_to_end_and_none_is_a_scrap(duration_s, chunk_s):
    chunks = chunks_of(duration_s, chunk_s)
    if duration_s < chunk_s * 1.499:
        assert chunks == ()
    for one, following in itertools.pairwise(chunks):
        assert one.start_s + one.length_s == pytest.approx(following.start_s)
    if chunks:
        assert chunks[-1].length_s is None
        assert 0.499 * chunk_s < duration_s - chunks[-1].start_s < 1.501 * chunk_s


def test_nothing_is_cut_unless_asked():
    assert chunks_of(1e6, None) == ()


@pytest.mark.parametrize("chunk_s", [0.0, 0.5, -3.0, float("nan"), float("inf")])
def test_a_length_that_cuts_nothing_sensible_is_refused(chunk_s):
    with pytest.raises(UsageError, match="chunk-s"):
        check_length(chunk_s)
