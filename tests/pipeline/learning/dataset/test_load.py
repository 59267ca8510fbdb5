"""Which tracks are learned from, and how their rows arrive."""

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.features.registry import family
from pipeline.learning.dataset.load import build_manifest, check_lost_classes, load_rows

ROWS = np.ones((2, 3))


def two_classes(library):
    for number in range(4):
        library.add(f"{number}.wav", "ab"[number % 2], ROWS * number)


def reasons(manifest):
    return {track.path.rsplit("/", 1)[1]: track.reason for track in manifest.excluded}


def test_usable_tracks_are_listed_in_the_order_of_their_paths_whatever_the_scan_order(library):
    two_classes(library)
    library.scanned.reverse()

    manifest = library.manifest()

    assert [track.path for track in manifest.tracks] == [f"/library/{number}.wav" for number in range(4)]
    assert manifest.classes == ("a", "b")


def test_every_track_that_cannot_be_used_is_listed_with_the_reason(library):
    two_classes(library)
    library.add("unlabelled.wav", None, ROWS)
    library.add("broken.wav", "a", failure="no decoder can read it")
    library.add("short.wav", "a", **{"frame_stats-000000000000": "12 samples"})
    library.add("bare.wav", "a")
    del library.source.records[library.add("new.wav", "a", ROWS)]

    manifest = library.manifest()

    assert len(manifest.tracks) == 4
    assert reasons(manifest) == {
        "unlabelled.wav": "no label",
        "broken.wav": "unreadable: no decoder can read it",
        "short.wav": "no frame_stats features (too_short: 12 samples)",
        "bare.wav": "no frame_stats features (not extracted)",
        "new.wav": "not extracted",
    }


def test_a_track_scanned_twice_counts_once(library):
    two_classes(library)
    library.scanned += library.scanned

    assert len(library.manifest().tracks) == 4


def test_a_library_without_any_labelled_track_is_refused_with_the_reasons(library):
    for number in range(3):
        library.add(f"{number}.wav", None, ROWS)

    with pytest.raises(UsageError, match=r"none of 3 tracks can be learned from \(3 no label\).*--labels"):
        library.manifest()


def test_an_empty_library_is_refused(library):
    with pytest.raises(UsageError, match="no track was found"):
        library.manifest()


def test_a_library_of_one_class_is_refused_naming_the_class(library):
    for number in range(3):
        library.add(f"{number}.wav", "metal", ROWS)

    with pytest.raises(UsageError, match=r"all 3 labelled tracks are of one class, metal;"):
        library.manifest()


def test_equal_data_has_equal_digests_and_another_label_another(library):
    two_classes(library)
    manifest = library.manifest()

    assert library.manifest().digest == manifest.digest
    library.scanned[0] = library.scanned[0].replace(label="b")
    library.scanned[1] = library.scanned[1].replace(label="a")
    assert library.manifest().digest != manifest.digest


def test_rows_know_their_track_and_labels(library):
    for number in range(4):
        library.add(f"{number}.wav", "ab"[number % 2], np.full((number + 1, 3), number))
    manifest = library.manifest()

    rows = load_rows(manifest, "frame_stats", library.source)

    assert rows.x.shape == (10, 3)
    assert rows.x.dtype == np.float32
    assert rows.owner.tolist() == [0, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    assert rows.x[:, 0].tolist() == rows.owner.tolist()
    assert rows.labels(manifest).tolist() == [0, 1, 1, 0, 0, 0, 1, 1, 1, 1]
    assert rows.select([1, 3]).owner.tolist() == [1, 1, 3, 3, 3, 3]


def test_rows_with_nan_or_infinite_values_are_dropped_and_counted(library):
    two_classes(library)
    library.add("odd.wav", "a", [[1, np.nan, 1], [1, 1, 1], [np.inf, 0, 0]])
    manifest = library.manifest()

    rows = load_rows(manifest, "frame_stats", library.source)

    assert rows.dropped == 2
    assert np.isfinite(rows.x).all()
    assert np.count_nonzero(rows.owner == 4) == 1


def test_only_the_rows_of_the_tracks_requested_are_read(library):
    two_classes(library)
    manifest = library.manifest()
    library.source.requested.clear()

    rows = load_rows(manifest, "frame_stats", library.source, [2, 0])

    assert sorted(set(rows.owner.tolist())) == [0, 2]
    assert library.source.requested == [manifest.tracks[0].content_hash, manifest.tracks[2].content_hash]


def test_a_track_without_rows_stays_in_the_dataset(library):
    two_classes(library)
    library.add("silent.wav", "a", np.zeros((0, 3)))

    rows = load_rows(library.manifest(), "frame_stats", library.source)

    assert len(library.manifest().tracks) == 5
    assert 4 not in rows.owner


def test_a_family_without_a_single_row_is_refused(library):
    for number in range(4):
        library.add(f"{number}.wav", "ab"[number % 2], np.zeros((0, 3)))

    with pytest.raises(UsageError, match=r"frame_stats has no usable row in 4 tracks \(0 rows dropped"):
        load_rows(library.manifest(), "frame_stats", library.source)


def test_a_track_with_no_row_but_of_nan_is_left_out_naming_family_and_column(library):
    two_classes(library)
    library.add("bad.wav", "a", [[1, np.nan, 1], [np.inf, 1, 1]])

    manifest = library.manifest()

    assert len(manifest.tracks) == 4
    assert reasons(manifest) == {"bad.wav": "NaN or infinite values: in every row of frame_stats (column 0, column 1)"}
    assert manifest.flaws == ()


def test_a_library_of_nothing_but_nan_is_refused(library):
    for number in range(4):
        library.add(f"{number}.wav", "ab"[number % 2], [[np.nan]])

    with pytest.raises(UsageError, match=r"none of 4 tracks can be learned from \(4 NaN or infinite values\)"):
        library.manifest()


def test_rows_that_are_left_out_are_reported_by_track_column_and_number(library):
    two_classes(library)
    library.add("odd.wav", "a", [[1, np.nan, 1], [1, 1, 1], [np.inf, 0, 0]])

    (flaw,) = library.manifest().flaws

    assert (flaw.path, flaw.features, flaw.columns) == ("/library/odd.wav", "frame_stats", ("column 0", "column 1"))
    assert (flaw.rows, flaw.of) == (2, 3)


def test_of_many_columns_five_are_named_and_the_rest_counted(library):
    for number in range(4):
        library.add(f"{number}.wav", "ab"[number % 2], np.full((1, 8), number))
    library.add("odd.wav", "a", np.stack([np.full(8, 1.0), np.full(8, np.nan)]))

    (flaw,) = library.manifest().flaws

    assert flaw.columns == ("column 0", "column 1", "column 2", "column 3", "column 4", "and 3 more")


def test_columns_that_never_vary_are_named(library):
    for number in range(4):
        library.add(f"{number}.wav", "ab"[number % 2], [[7.0, number, 0.0]])

    assert library.manifest().constant == {"frame_stats": ("column 0", "column 2")}


def test_the_columns_of_a_family_have_their_names(library):
    names = family("mfcc_mean").spec.columns
    for number in range(4):
        values = np.full((1, len(names)), float(number))
        values[0, 3] = 5.0
        library.add(f"{number}.wav", "ab"[number % 2], values)
    library.source.stored = {("mfcc_mean-0", content): rows for (_, content), rows in library.source.stored.items()}

    manifest = build_manifest("run-1", library.scanned, library.source, {"mfcc_mean": "mfcc_mean-0"})

    assert manifest.constant == {"mfcc_mean": (names[3],)}


def test_a_family_that_is_not_in_the_dataset_is_refused(library):
    two_classes(library)

    with pytest.raises(UsageError, match=r"feature family loudnes is not in the dataset \(it has frame_stats\)"):
        load_rows(library.manifest(), "loudnes", library.source)


def test_rows_of_tracks_that_have_no_other_row_are_counted_too(library):
    two_classes(library)
    library.add("bad.wav", "a", np.full((1, 3), np.nan))

    manifest = library.manifest()

    assert manifest.flaws == ()
    [flaw] = manifest.excluded_flaws
    assert (flaw.path.rsplit("/", 1)[1], flaw.rows, flaw.of) == ("bad.wav", 1, 1)
    check_lost_classes(manifest)


def test_a_class_of_nothing_but_nan_is_refused_with_the_mend(library):
    two_classes(library)
    for number in range(3):
        library.add(f"bad{number}.wav", "c", np.full((1, 3), np.nan))

    with pytest.raises(UsageError, match=r"class c: none of its 3 tracks can be learned from \(NaN or infinite values"):
        check_lost_classes(library.manifest())
