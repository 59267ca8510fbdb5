import numpy as np
import pytest
from scipy.signal import resample

from pipeline.kernels import doubling, fourier

PLANNED = [2000, 2048, 8000, 22_050, 24_000, 96_000]
LEFT_TO_SCIPY = [63, 64, 127, 5512, 11_025, 12_346]


def exact(blocks):
    """Return the largest magnitudes, 4x oversampled in float64."""
    return np.abs(resample(blocks.astype(np.float64), 4 * blocks.shape[1], axis=1)).max(axis=1)


def bright(noise, length):
    """Return blocks that a short filter does not hear well, (8, length)."""
    time = np.arange(length)
    tones = [np.cos(2 * np.pi * share * time + 0.3) for share in (0.25, 0.49, 0.4999, 0.5)]
    corners = [time == 5, time == length - 1, np.sign(np.sin(0.3 * time + 0.1))]
    return np.stack([noise((length,), 0.2), *tones, *corners]).astype(np.float32)


@pytest.mark.parametrize("length", PLANNED + LEFT_TO_SCIPY)
def test_doubled_blocks_have_the_peaks_of_exactly_oversampled_ones(noise, length):
    assert (fourier.plan(length) is not None) == (length in PLANNED)
    blocks = bright(noise, length)
    np.testing.assert_allclose(doubling.true_peaks(blocks), exact(blocks), rtol=3e-6)


def test_each_block_is_measured_by_itself(noise):
    blocks = noise((5, 2000), 0.2).astype(np.float32)
    alone = [doubling.true_peaks(blocks[i : i + 1])[0] for i in range(5)]
    assert doubling.true_peaks(blocks).tolist() == alone
    assert doubling.true_peaks(blocks[:0]).shape == (0,)
    assert doubling.true_peaks(blocks[:, ::2]) == pytest.approx(exact(blocks[:, ::2]), rel=3e-6)


def test_a_silent_block_has_no_peak():
    assert doubling.true_peaks(np.zeros((1, 2000), np.float32)) == 0
