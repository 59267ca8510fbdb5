from itertools import pairwise

import numpy as np
import pytest

from pipeline.kernels import fourier, halves

TRANSFORMED = [128, 1000, 2000, 2240, 4000, 5600, 8000, 11_024 - 1024, 16_000, 22_050, 24_000, 44_100, 48_000, 65_536]
LEFT_TO_SCIPY = [2001, 2756, 5512, 11_025, 2 * 11 * 512, 22_051, 120]


def exact(blocks, borders):
    energy = np.square(np.abs(np.fft.rfft(blocks.astype(np.float64), axis=1)))
    return np.stack([energy[:, low:high].sum(axis=1) for low, high in pairwise(borders)], axis=1)


def borders_of(length):
    """Return those of the loudness blocks of a second's half."""
    split = min(501, length // 4)
    return np.array([1, split, max(int(0.42 * length), split), length // 2])


def test_lengths_of_small_factors_alone_are_transformed_here():
    assert all(fourier.plan(length) for length in TRANSFORMED)
    assert not any(fourier.plan(length) for length in LEFT_TO_SCIPY)


@pytest.mark.parametrize("length", TRANSFORMED + LEFT_TO_SCIPY)
def test_energies_are_those_of_an_exact_transform(noise, length):
    blocks = noise((3, length), 0.2).astype(np.float32)
    borders = borders_of(length)
    np.testing.assert_allclose(halves.band_energies(blocks, borders), exact(blocks, borders), rtol=1e-6)


@pytest.mark.parametrize("length", [2000, 11_025, 22_050])
@pytest.mark.parametrize("count", [0, 1, 3, 8, 16, 17])
def test_any_number_of_blocks_is_measured_each_by_itself(noise, length, count):
    blocks = noise((count, length), 0.2).astype(np.float32)
    borders = borders_of(length)
    found = halves.band_energies(blocks, borders)
    np.testing.assert_allclose(found, exact(blocks, borders), rtol=1e-6)
    for i in range(count):
        np.testing.assert_allclose(found[i], halves.band_energies(blocks[i : i + 1], borders)[0], rtol=1e-6)


@pytest.mark.parametrize("length", [2000, 2250, 16_000, 22_050])
@pytest.mark.parametrize(
    "places", [(), (0.5,), (0.25, 0.75), (0.1, 0.2, 0.3, 0.9), (0.98, 0.99), (0.01, 0.02), (0.5, 0.5)]
)
def test_borders_may_lie_anywhere(noise, length, places):
    blocks = noise((2, length), 0.2).astype(np.float32)
    half = length // 2
    borders = np.array([1, *(int(place * half) for place in places), half])
    np.testing.assert_allclose(halves.band_energies(blocks, borders), exact(blocks, borders), rtol=3e-6)


def test_each_bin_is_counted_once():
    length = 2240  # its half is even: the bin in the middle is its own mirror
    half = length // 2
    time = np.arange(length)
    borders = np.arange(1, half + 1)
    for bin_ in (1, 2, 7, half // 2 - 1, half // 2, half // 2 + 1, half - 2, half - 1):
        block = np.cos(2 * np.pi * bin_ * time / length + 0.3)[np.newaxis].astype(np.float32)
        found = halves.band_energies(block, borders)[0]
        assert found.argmax() == bin_ - 1
        assert found[bin_ - 1] == pytest.approx(half**2, rel=1e-6)
        assert np.delete(found, bin_ - 1).max() < 1e-12 * half**2


@pytest.mark.parametrize("bin_", [0, "nyquist"])
def test_the_mean_and_the_middle_of_the_rate_belong_to_no_band(bin_):
    length = 24_000
    block = np.full((1, length), 0.5, np.float32)
    if bin_ == "nyquist":
        block[:, 1::2] *= -1
    assert halves.band_energies(block, borders_of(length)).max() < 1e-12 * (0.5 * length) ** 2


@pytest.mark.parametrize("length", [8000, 22_050, 24_000])
@pytest.mark.parametrize("loud_bin", [3, 400, 2000, 3999])
def test_a_tone_leaks_no_more_than_rounding_into_other_bands(length, loud_bin):
    """What is under 1e-9 of the other part is looked at again; the rounding lies far below."""
    loud = 0.5 * np.cos(2 * np.pi * loud_bin * np.arange(length) / length + 1.0)
    borders = borders_of(length)
    found = halves.band_energies(loud[np.newaxis].astype(np.float32), borders)[0]
    own = int(np.searchsorted(borders, loud_bin, side="right")) - 1
    assert found[own] == pytest.approx((0.25 * length) ** 2, rel=1e-6)
    assert np.delete(found, own).max() < 1e-12 * found[own]


def test_a_faint_band_keeps_nearly_four_digits_down_to_the_share_that_is_computed_again(noise):
    length = 22_050
    tone = 0.5 * np.cos(2 * np.pi * 100 * np.arange(length) / length)
    blocks = (tone + noise((4, length), 2e-5)).astype(np.float32)
    borders = borders_of(length)
    found, expected = halves.band_energies(blocks, borders), exact(blocks, borders)
    assert (expected[:, 1:].sum(axis=1) < 4e-9 * expected[:, 0]).all()
    np.testing.assert_allclose(found[:, 1:].sum(axis=1), expected[:, 1:].sum(axis=1), rtol=1.5e-4)


def test_silence_and_blocks_beside_it_keep_apart(noise):
    blocks = noise((3, 24_000), 0.2).astype(np.float32)
    blocks[1] = 0
    found = halves.band_energies(blocks, borders_of(24_000))
    assert (found[1] == 0).all()
    np.testing.assert_allclose(found[[0, 2]], exact(blocks[[0, 2]], borders_of(24_000)), rtol=1e-6)
