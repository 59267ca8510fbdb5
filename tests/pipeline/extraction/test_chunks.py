"""A chunk has the features of a file that was cut out, and is decided by its content and place."""

import itertools

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import sound

from pipeline.audio.hashing import content_hash
from pipeline.errors import TransientError, UsageError
from pipeline.extraction.chunks import check_length, chunks_of, extract_chunks
from pipeline.extraction.extract import extract
from pipeline.features.registry import family
from pipeline.library.tracks import ExtractTrack, FileStamp, track_id
from pipeline.synthetic import demo_sounds

RATE_HZ = 22_050
FAMILIES = ("loudness", "mfcc_mean", "mfcc_segments")


def order(path, chunk_s=None):
    stamp = FileStamp(size_bytes=1, mtime_ns=2)
    return ExtractTrack(
        run_id="r", shard=0, track_id=track_id(path), path=path, stamp=stamp, sequence=7, families=FAMILIES,
        chunk_s=chunk_s,
    )  # fmt: skip


def extracted(path):
    return extract(order(path), missing=frozenset(FAMILIES), max_duration_s=600.0)


def cut(path, chunk_s):
    original, _ = extracted(path)
    chunks = chunks_of(original.duration_s, chunk_s)
    told = extract_chunks(order(path, chunk_s), original, chunks, missing=frozenset(FAMILIES), max_duration_s=600.0)
    return original, chunks, list(told)


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


def test_each_chunk_has_the_features_of_a_file_cut_by_pydub(tmp_path):
    # given 16 s cut as the tutorial does, into files of 5 s by pydub
    path = str(tmp_path / "long.wav")
    samples = sound(1, seconds=16.0)
    whole = demo_sounds._segment(samples[:, 0], RATE_HZ)
    whole.export(path, format="wav").close()
    pieces = [whole[begin * 1000 : end * 1000] for begin, end in ((0, 5), (5, 10), (10, 16))]
    # when
    _, chunks, told = cut(path, 5.0)
    # then
    assert [chunk.start_s for chunk in chunks] == [0.0, 5.0, 10.0]
    for number, (piece, (record, rows)) in enumerate(zip(pieces, told, strict=True)):
        file = str(tmp_path / f"{number}.wav")
        piece.export(file, format="wav").close()
        alone, expected = extracted(file)
        assert (record.failure, record.family_failures) == (None, {})
        assert record.duration_s == alone.duration_s == (6.0 if number == 2 else 5.0)
        for name in FAMILIES:
            key = family(name).spec.key
            np.testing.assert_array_equal(rows[key].values, expected[key].values)


def test_a_chunk_tells_where_it_comes_from_and_is_no_song(tmp_path):
    path = str(tmp_path / "long.wav")
    soundfile.write(path, sound(1, seconds=8.0), RATE_HZ)
    original, chunks, told = cut(path, 4.0)
    for chunk, (record, _) in zip(chunks, told, strict=True):
        assert record.copy_of == original.content_hash == content_hash(path)
        assert record.content_hash == chunk.content_key(original.content_hash)
        assert record.track_id == chunk.track_id(track_id(path), 4.0)
        assert record.path == path
    assert [record.note for record, _ in told] == ["chunk 1: 0 s to 4 s", "chunk 2: 4 s to the end"]
    assert len({record.track_id for record, _ in told} | {original.track_id}) == 3


def test_what_a_chunk_cannot_have_is_recorded_and_the_rest_stands(tmp_path):
    path = str(tmp_path / "long.wav")
    soundfile.write(path, sound(1, seconds=4.0), RATE_HZ)
    _, _, told = cut(path, 2.0)
    for record, rows in told:
        assert record.failure is None
        assert record.family_failures[family("mfcc_segments").spec.key].kind == "too_short"
        assert family("loudness").spec.key in rows


def test_a_file_that_changed_since_is_not_cut(tmp_path):
    path = str(tmp_path / "long.wav")
    soundfile.write(path, sound(1, seconds=8.0), RATE_HZ)
    original, _ = extracted(path)
    soundfile.write(path, sound(2, seconds=8.0), RATE_HZ)
    told = extract_chunks(
        order(path, 4.0), original, chunks_of(8.0, 4.0), missing=frozenset(FAMILIES), max_duration_s=600.0
    )
    with pytest.raises(TransientError, match="changed while its chunks were extracted"):
        next(told)
