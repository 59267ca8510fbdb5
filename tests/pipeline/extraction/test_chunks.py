"""A chunk has the features of a file that was cut out, and is decided by its content and place."""

import numpy as np
import pytest
import soundfile
from sounds import sound

from pipeline.audio.identity import file_digests
from pipeline.errors import TransientError
from pipeline.extraction.chunks import extract_chunks
from pipeline.extraction.derived import derived_chunks
from pipeline.extraction.extract import extract
from pipeline.features.registry import family
from pipeline.library.tracks import ExtractTrack, FileStamp, track_id
from pipeline.synthetic import demo_sounds

RATE_HZ = 22_050
FAMILIES = ("loudness", "mfcc_mean", "mfcc_segments")


def order(path):
    stamp = FileStamp(size_bytes=1, mtime_ns=2)
    return ExtractTrack(
        run_id="r", shard=0, track_id=track_id(path), path=path, stamp=stamp, sequence=7, families=FAMILIES,
    )  # fmt: skip


def extracted(path):
    return extract(order(path), path=path, missing=frozenset(FAMILIES), max_duration_s=600.0)


def cut(path, chunk_s):
    original, _ = extracted(path)
    chunks = derived_chunks(original, chunk_s)
    return original, [chunk.part for chunk in chunks], list(extracted_chunks(path, original, chunks))


def extracted_chunks(path, original, chunks):
    return extract_chunks(order(path), original, chunks, path=path, missing=frozenset(FAMILIES), max_duration_s=600.0)


def test_each_chunk_has_the_features_of_a_file_cut_by_pydub(tmp_path):
    # given 16 s cut as the tutorial does, into files of 5 s by pydub
    path = str(tmp_path / "long.wav")
    samples = sound(1, seconds=16.0)
    whole = demo_sounds._segment(samples[:, 0], RATE_HZ)
    whole.export(path, format="wav").close()
    pieces = [whole[begin * 1000 : end * 1000] for begin, end in ((0, 5), (5, 10), (10, 16))]
    # when
    _, chunks, results = cut(path, 5.0)
    # then
    assert [chunk.start_s for chunk in chunks] == [0.0, 5.0, 10.0]
    for number, (piece, (record, rows)) in enumerate(zip(pieces, results, strict=True)):
        file = str(tmp_path / f"{number}.wav")
        piece.export(file, format="wav").close()
        alone, expected = extracted(file)
        assert (record.failure, record.family_failures) == (None, {})
        assert record.duration_s == alone.duration_s == (6.0 if number == 2 else 5.0)
        for name in FAMILIES:
            key = family(name).spec.key
            np.testing.assert_array_equal(rows[key].values, expected[key].values)


def test_a_chunk_names_where_it_comes_from_and_is_no_song(tmp_path):
    path = str(tmp_path / "long.wav")
    soundfile.write(path, sound(1, seconds=8.0), RATE_HZ)
    original, chunks, results = cut(path, 4.0)
    for chunk, (record, _) in zip(chunks, results, strict=True):
        assert record.copy_of == original.content_hash == file_digests(path).content_hash
        assert record.content_hash == chunk.content_key(original.content_hash)
        assert record.track_id == chunk.track_id(track_id(path), 4.0)
        assert record.path == path
    assert [record.note for record, _ in results] == ["chunk 1: 0 s to 4 s", "chunk 2: 4 s to the end"]
    assert len({record.track_id for record, _ in results} | {original.track_id}) == 3


def test_what_a_chunk_cannot_have_is_recorded_and_the_rest_stands(tmp_path):
    path = str(tmp_path / "long.wav")
    soundfile.write(path, sound(1, seconds=4.0), RATE_HZ)
    _, _, results = cut(path, 2.0)
    for record, rows in results:
        assert record.failure is None
        assert record.family_failures[family("mfcc_segments").spec.key].kind == "too_short"
        assert family("loudness").spec.key in rows


def test_a_file_that_changed_since_is_not_cut(tmp_path):
    path = str(tmp_path / "long.wav")
    soundfile.write(path, sound(1, seconds=8.0), RATE_HZ)
    original, _ = extracted(path)
    soundfile.write(path, sound(2, seconds=8.0), RATE_HZ)
    with pytest.raises(TransientError, match="changed while its chunks were extracted"):
        next(extracted_chunks(path, original, derived_chunks(original, 4.0)))
