"""Exact facts that the tutorials tell of their features."""

import numpy as np

from pipeline.features.registry import family
from pipeline.features.spec import compute

LOUDNESS = (
    "true_peak_lin", "true_peak_lin2", "true_peak_db", "rms_lin2", "rms_lin", "rms_db",
    "lufs_lin", "lufs_lin2", "lufs_db", "crest_lin", "crest_db", "low_high_ratio",
)  # fmt: skip


def test_loudness_has_the_twelve_columns_in_their_order(audio, noise):
    loudness = family("loudness")
    rows = compute(loudness, audio(noise((44_100, 2)), 44_100))

    assert loudness.spec.columns == LOUDNESS
    assert rows.values.shape == (4, 12)  # two channels of two blocks of 0.5 s


def test_segments_of_thirty_second_files_are_counted_as_in_the_tutorial(audio):
    segments = family("mfcc_segments")
    assert segments.spec.parameters["segment"] == 66_150
    # Thirty seconds, a little more as most files of the data set, and one that is 0.07 s short: its last is dropped.
    counts = [
        len(compute(segments, audio(np.zeros((samples, 1)), 22_050)).values) for samples in (661_500, 661_794, 660_000)
    ]

    assert counts == [10, 10, 9]
    assert segments.spec.row_shape == (130, 16)


def test_a_file_has_forty_mean_mfccs(audio, noise):
    rows = compute(family("mfcc_mean"), audio(noise((22_050, 1)), 22_050))

    assert rows.values.shape == (1, 40)
