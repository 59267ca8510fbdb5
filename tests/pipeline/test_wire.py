import json
import os
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import errors
from pipeline.errors import FailureKind, UsageError
from pipeline.library.tracks import ExtractTrack, Failure, FileStamp, Receipt, ScannedTrack, TrackRecord, track_id
from pipeline.text import printable

# File names are bytes; what is not UTF-8 in them becomes surrogates.
paths = st.binary(min_size=1, max_size=60).map(lambda raw: os.fsdecode(b"/" + raw.replace(b"\0", b"_")))
texts = st.text(max_size=30)
optional_texts = st.none() | texts
hashes = st.binary(min_size=16, max_size=16).map(bytes.hex)
counts = st.integers(min_value=0, max_value=2**63 - 1)
seconds = st.floats(min_value=0, allow_infinity=False)
kinds = st.sampled_from(get_args(FailureKind))
stamps = st.builds(FileStamp, size_bytes=counts, mtime_ns=st.integers(min_value=-(2**63), max_value=2**63 - 1))
failures = st.builds(Failure, kind=kinds, reason=texts, attempts=counts, host=texts)

values = st.one_of(
    stamps,
    failures,
    st.builds(
        ScannedTrack,
        track_id=hashes,
        path=paths,
        stamp=stamps,
        label=optional_texts,
        group=optional_texts,
        fold=optional_texts,
    ),
    st.builds(
        ExtractTrack,
        run_id=texts,
        shard=counts,
        track_id=hashes,
        path=paths,
        stamp=stamps,
        sequence=counts,
        families=st.lists(texts, max_size=4).map(tuple),
    ),
    st.builds(
        TrackRecord,
        track_id=hashes,
        path=paths,
        stamp=stamps,
        sequence=counts,
        content_hash=hashes | st.just(""),
        duration_s=seconds,
        sample_rate_hz=counts,
        channels=counts,
        failure=st.none() | failures,
        family_failures=st.dictionaries(texts, failures, max_size=3),
        note=texts,
    ),
    st.builds(
        Receipt,
        track_id=hashes,
        path=paths,
        outcome=st.sampled_from(["extracted", "unchanged", "failed", "cancelled"]),
        kind=st.none() | kinds,
        reason=texts,
        audio_s=seconds,
    ),
)


repeatable = settings(deadline=None, derandomize=True, database=None)


@repeatable
@given(value=values)
def test_every_value_comes_back_from_json_as_it_was(value):
    assert type(value).from_wire(json.loads(json.dumps(value.to_wire()))) == value


@repeatable
@given(path=paths)
def test_any_path_has_an_id_and_can_be_printed_on_one_line(path):
    assert len(track_id(path)) == 32
    text = printable(path)
    assert len(text.splitlines()) == 1
    assert text.encode("utf-8").decode("utf-8") == text


def test_ids_of_different_bytes_differ():
    assert track_id("/a\udce9") != track_id("/a\u00e9") != track_id("/a")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "extra"),
        ({"sequence": "7"}, "sequence"),
        ({"stamp": None}, "stamp"),
        ({"families": "all"}, "families"),
    ],
)
def test_a_wire_form_that_does_not_fit_is_refused_by_the_name_of_the_field(change, message):
    stamp = FileStamp(size_bytes=1, mtime_ns=1)
    order = ExtractTrack(run_id="r", shard=0, track_id="t", path="/a", stamp=stamp, sequence=7, families=())
    with pytest.raises(UsageError, match=f"ExtractTrack: .*{message}"):
        ExtractTrack.from_wire({**order.to_wire(), **change})
    with pytest.raises(UsageError, match="missing required field"):
        ExtractTrack.from_wire({})


@pytest.mark.parametrize(
    "kind", [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.ChordalError)]
)
def test_an_error_is_rebuilt_from_its_arguments_as_celerys_json_backend_does(kind):
    error = kind("a reason")
    assert str(type(error)(*error.args)) == str(error) == "a reason"
