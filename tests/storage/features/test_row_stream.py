import os
import zlib

import numpy as np
import pytest
from homes import commit, scan, small_home
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StoreError, UsageError
from storage import open_features
from storage.features.row_stream import RowStream
from storage.filestore.format.families import rows_crc
from storage.filestore.rows.extents import ArrayCrcs, content_crc, locate
from storage.filestore.rows.pieces import blocks
from storage.filestore.rows.read_ahead import ReadAhead
from storage.filestore.store_mark import find_layout
from storage.ids import ids, pack
from storage.testing.samples import SPECS, SPECTRA, TONES, content, features, record, rows

WINDOW_ROWS = 40


def row_stream(home, numbers, *, seed=1, family=SPECTRA, window_rows=WINDOW_ROWS):
    window_bytes = window_rows * 4 * int(np.prod(family.row_shape))
    contents = ids([content(number) for number in numbers])
    return RowStream(find_layout(home / "store"), family, contents, seed=seed, window_bytes=window_bytes)


def epoch(stream, *, batch=7, number=0):
    """Return all rows of an epoch and their owners, taken batch by batch."""
    stream.start(number)
    taken = [stream.read(begin, min(begin + batch, stream.rows)) for begin in range(0, stream.rows, batch)]
    return np.concatenate([values for values, _ in taken]), np.concatenate([owner for _, owner in taken])


def as_multiset(values):
    return sorted(row.tobytes() for row in values)


@pytest.fixture
def home(tmp_path):
    """Contents of 1, 3, 70, 200, 5, 64, 65 and 0 rows; some in a part, some in the inbox."""
    store = commit(tmp_path, [])
    for number, n in enumerate((1, 3, 70, 200, 5, 64, 65, 0)):
        store.commit(record(f"/music/{number:02d}.wav", number), features(number, n=n), SPECS)
        if number == 4:
            store.compact()
    return tmp_path


NUMBERS = range(8)
LENGTHS = (1, 3, 70, 200, 5, 64, 65, 0)


def stored(numbers=NUMBERS, family=SPECTRA):
    return np.concatenate([rows(family, number, n=LENGTHS[number]).values for number in numbers])


@pytest.mark.parametrize("window_rows", [1, WINDOW_ROWS, 10_000])
def test_every_row_comes_exactly_once_per_epoch_with_its_owner(home, window_rows):
    stream = row_stream(home, NUMBERS, window_rows=window_rows)
    for number in range(3):
        values, owner = epoch(stream, number=number)
        assert as_multiset(values) == as_multiset(stored())
        assert np.bincount(owner, minlength=8).tolist() == list(LENGTHS)
        for at in NUMBERS:
            assert as_multiset(values[owner == at]) == as_multiset(stored([at]))


def test_an_epoch_is_shuffled_differs_from_the_next_and_is_repeated_by_its_seed(home):
    first, second, again, other = (
        epoch(row_stream(home, NUMBERS, seed=seed), number=number)[0]
        for seed, number in ((1, 0), (1, 1), (1, 0), (2, 0))
    )
    np.testing.assert_array_equal(first, again)
    for different in (second, other, stored()):
        assert (first != different).any()


def test_rows_of_a_run_are_spread_over_their_window(home):
    _, owner = epoch(row_stream(home, NUMBERS, window_rows=10_000))
    longest_stay = max(len(list(same)) for same in np.split(owner, np.flatnonzero(np.diff(owner)) + 1))
    assert longest_stay < 30


def test_the_memory_is_that_of_a_window(home):
    stream = row_stream(home, NUMBERS, window_rows=WINDOW_ROWS)
    epoch(stream)
    assert len(stream._buffer) <= WINDOW_ROWS + 64


def test_a_content_that_two_tracks_have_comes_once_for_each(home):
    values, owner = epoch(row_stream(home, [2, 2, 5]))
    assert np.bincount(owner).tolist() == [70, 70, 64]
    assert as_multiset(values) == as_multiset(stored([2, 2, 5]))


def test_going_back_gives_the_same_rows_again(home):
    stream = row_stream(home, NUMBERS)
    begun, _ = stream.read(0, 9)
    epoch(stream)
    np.testing.assert_array_equal(stream.read(0, 9)[0], begun)


def test_compaction_and_collection_in_the_middle_of_an_epoch_change_nothing(home):
    expected, expected_owner = epoch(row_stream(home, NUMBERS))
    stream = row_stream(home, NUMBERS)
    begun = stream.read(0, 100)
    store = commit(home, range(20, 24))
    assert store.compact().state == "compacted"
    rest = stream.read(100, stream.rows)
    np.testing.assert_array_equal(np.concatenate([begun[0], rest[0]]), expected)
    np.testing.assert_array_equal(np.concatenate([begun[1], rest[1]]), expected_owner)


def flip_a_value(home, value):
    """Flip a bit of the stored number `value` wherever it lies."""
    needle = np.float32(value).tobytes()
    for path in (home / "store").rglob("*.h5"):
        data = bytearray(path.read_bytes())
        at = data.find(needle)
        if at >= 0:
            data[at] ^= 1
            path.write_bytes(data)
            return path
    raise AssertionError("the value is nowhere")


@pytest.mark.parametrize(("number", "row"), [(0, 0), (3, 150), (6, 64)])
def test_a_flipped_bit_is_found_in_the_epoch_and_named(home, number, row):
    stream = row_stream(home, NUMBERS)
    path = flip_a_value(home, rows(SPECTRA, number, n=LENGTHS[number]).values[row, 2, 1])
    for _ in range(2):
        with pytest.raises(StoreError, match=content(number)) as error:
            epoch(stream)
        assert path.name in str(error.value)


def test_a_content_that_is_not_stored_is_named(home):
    with pytest.raises(StoreError, match=f"nothing stored for content {content(99)}"):
        row_stream(home, [0, 99])


@pytest.mark.parametrize("block_rows", [1, 33, 1000])
def test_blocks_give_all_rows_in_the_order_asked(home, block_rows):
    stream = row_stream(home, NUMBERS)
    extents = stream._reader._extents.select(np.array([5, 3, 7, 0, 2]))
    layout = find_layout(home / "store")
    found = list(blocks(layout, extents, SPECTRA, block_bytes=block_rows * 32))
    np.testing.assert_array_equal(np.concatenate([each.values for _, each in found]), stored([5, 3, 7, 0, 2]))
    owners = np.concatenate([entry for entry, _ in found])
    np.testing.assert_array_equal(owners, np.repeat(np.arange(5), [64, 200, 0, 1, 70]))
    assert max(len(each) for _, each in found) < 2 * max(block_rows, 1) + 1


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), number=st.integers(0, 99))
def test_the_crc_of_a_content_follows_from_those_of_its_parts(lengths, number):
    whole = rows(TONES, number, n=sum(lengths))
    ends = np.cumsum(lengths)
    parts = [
        ArrayCrcs(
            *(zlib.crc32(array[end - n : end].tobytes()) for array in (whole.values, whole.start_s, whole.channel))
        )
        for n, end in zip(lengths, ends, strict=True)
    ]
    found = content_crc(pack(content(number)), parts, lengths, row_bytes=12)
    assert found == rows_crc(content(number), whole)


def test_batches_have_every_row_once_the_last_one_short_and_the_labels_of_the_tracks(tmp_path):
    small_home(tmp_path, tracks=6, rows=11)
    found = open_features(tmp_path)
    batches = found.batches("tones", batch=8, seed=3)
    batches.on_epoch_begin()
    taken = [batches[number] for number in range(len(batches))]
    assert [len(x) for x, _ in taken] == [8] * 8 + [2]
    expected = {
        row.tobytes(): label
        for number in range(6)
        for row, label in zip(rows(TONES, number, n=11).values, [number % 2] * 11, strict=True)
    }
    received = {row.tobytes(): label for x, y in taken for row, label in zip(x, y.tolist(), strict=True)}
    assert received == expected
    assert batches.classes == ("even", "odd")


def test_batches_come_in_reading_order_whatever_their_numbers_and_stay_the_same_within_an_epoch(tmp_path):
    small_home(tmp_path, tracks=6, rows=11)
    found = open_features(tmp_path)
    straight, mixed = (found.batches("tones", batch=8, seed=3) for _ in range(2))
    order = np.random.default_rng(0).permutation(len(straight)).tolist()
    for _ in range(2):
        straight.on_epoch_begin()
        mixed.on_epoch_begin()
        for number, index in enumerate(order):
            np.testing.assert_array_equal(straight[number][0], mixed[index][0])
            np.testing.assert_array_equal(mixed[index][0], mixed[index][0])


def test_rows_that_are_not_finite_are_left_out_and_counted(tmp_path):
    store = commit(tmp_path, [])
    for number in range(4):
        stored = rows(TONES, number, n=10)
        stored.values[number, 1] = (np.nan, np.inf, -np.inf, 3e38)[number]
        stored.values[number, 2] = 3e38
        store.commit(record(f"/music/{number:02d}.wav", number), {TONES.key: stored}, SPECS)
    scan(tmp_path, {f"/music/{number:02d}.wav": ("ab"[number % 2], None) for number in range(4)})
    batches = open_features(tmp_path).batches("tones", batch=16)
    batches.on_epoch_begin()
    assert sum(len(batches[number][0]) for number in range(len(batches))) == 37
    assert batches.dropped == 3


def test_tracks_without_a_label_are_left_out_or_told(tmp_path):
    small_home(tmp_path)
    commit(tmp_path, [9])
    found = open_features(tmp_path)
    assert found.batches("tones").rows == 30
    with pytest.raises(UsageError, match=r"track /music/09\.wav: has no label; leave it out"):
        found.batches("tones", found.tracks)
    with pytest.raises(UsageError, match="has label odd, which is not asked for"):
        found.batches("tones", classes=["even"])
    with pytest.raises(UsageError, match="no rows in 0 labelled tracks"):
        found.batches("tones", [])


def test_a_small_network_learns_from_batches_the_same_each_time(tmp_path):
    store = commit(tmp_path, [])
    for number in range(8):
        stored = rows(TONES, number, n=50)
        stored.values[:, 0] += 4 * (number % 2)
        store.commit(record(f"/music/{number:02d}.wav", number), {TONES.key: stored}, SPECS)
    scan(tmp_path, {f"/music/{number:02d}.wav": ("even" if number % 2 else "odd", None) for number in range(8)})
    found = open_features(tmp_path)
    losses = []
    for _ in range(2):
        batches = found.batches("tones", found.tracks[:6], batch=32, seed=5, window_bytes=1000)
        held_out = found.batches("tones", found.tracks[6:], batch=32)
        import keras

        keras.utils.set_random_seed(1)
        network = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2, "softmax")])
        network.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
        fitted = network.fit(batches, validation_data=held_out, epochs=6, verbose=0)
        assert fitted.history["val_accuracy"][-1] > 0.9
        losses.append(fitted.history["loss"])
    assert losses[0] == losses[1]


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the system cannot be asked")
def test_what_is_asked_for_ahead_are_the_chunks_of_the_rows(tmp_path, monkeypatch):
    # given two contents of several chunks in a part, and one in the inbox
    lengths = {1: 20_000, 2: 30_000, 3: 70}
    store = commit(tmp_path, [])
    for number, n in lengths.items():
        store.commit(record(f"/music/{number}.wav", number), features(number, n=n), SPECS)
        if number == 2:
            store.compact()
    extents = locate(find_layout(tmp_path / "store"), SPECTRA.key, ids([content(number) for number in lengths]))
    calls = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _file, *span: calls.append(span[:2]))

    for at, (number, n) in enumerate(lengths.items()):
        # when the last third of a content is expected
        calls.clear()
        file, end = int(extents.file[at]), extents.begin[at] + n
        ReadAhead(extents).prefetch(file, np.array([end - n // 3]), np.array([end]))

        # then the spans hold it, and not much more
        image = extents.files[file].read_bytes()
        held = b"".join(image[offset : offset + size if size else None] for offset, size in calls)
        expected = rows(SPECTRA, number, n=n).values[-(n // 3) :].tobytes()
        assert expected in held
        assert len(held) <= len(expected) + 2 * (256 << 10)


def test_what_cannot_be_asked_for_ahead_is_left_to_the_reader(home):
    extents = locate(find_layout(home / "store"), SPECTRA.key)
    for path in extents.files:
        path.unlink()

    ReadAhead(extents).prefetch(0, np.array([0]), np.array([1]))
