import math

import numpy as np
import pyloudnorm
import pytest
from scipy.signal import lfilter, resample

from pipeline.errors import TooShortError, UnsupportedError
from pipeline.features.families import loudness
from pipeline.features.spec import compute
from pipeline.kernels import weighting

COLUMN = {name: i for i, name in enumerate(loudness.spec.columns)}
FULL_SCALE_SINE_LUFS = -3.01  # ITU-R BS.1770-5 annex 1: 997 Hz on the left, centre or right channel


def integrated(samples, rate_hz=48_000):
    """Return the integrated loudness of a whole signal: windows of 0.4 s, 0.1 s apart, by the blocks' own kernels."""
    borders = np.arange(int(len(samples) / (0.1 * rate_hz)) + 1) * (rate_hz // 10)
    _, spans = weighting.energies(samples[np.newaxis].astype(np.float32), rate_hz, borders)
    windows = np.lib.stride_tricks.sliding_window_view(spans, 4, axis=1).sum(axis=2) / (4 * (rate_hz // 10))
    return loudness.gated_loudness(windows)[0]


def oversampled_by_hand(block):
    """Put zeros between the halves of the spectrum, the middle bin shared: four times the samples."""
    n = len(block)
    spectrum = np.fft.fft(block)
    padded = np.zeros(4 * n, complex)
    padded[: (n + 1) // 2] = spectrum[: (n + 1) // 2]
    padded[-((n - 1) // 2) :] = spectrum[-((n - 1) // 2) :]
    if n % 2 == 0:
        padded[n // 2] = padded[-n // 2] = spectrum[n // 2] / 2
    return 4 * np.fft.ifft(padded).real


def tutorial_rows(samples, rate_hz):
    """Return (row, start in seconds, channel) of each block that counts, by the tutorial's words alone."""
    length = int(0.5 * rate_hz)
    meter = pyloudnorm.Meter(rate_hz, filter_class="DeMan")
    found = []
    for channel in range(samples.shape[1]):
        for number in range(len(samples) // length):
            block = samples[number * length : (number + 1) * length, channel]
            rms_lin2 = sum(float(x) * float(x) for x in block) / length
            if rms_lin2 == 0 or 10 * math.log10(rms_lin2) <= -80:
                continue
            peak = max(abs(oversampled_by_hand(block)))
            lufs = meter.integrated_loudness(block)
            lufs_lin2 = 10 ** (lufs / 10)
            spectrum = np.fft.fft(block)
            split = int(1000 / (rate_hz / length)) + 1
            low = sum(abs(spectrum[k]) ** 2 for k in range(1, split))
            high = sum(abs(spectrum[k]) ** 2 for k in range(split, length // 2))
            rms = math.sqrt(rms_lin2)
            row = [peak, peak**2, 10 * math.log10(peak**2), rms_lin2, rms, 10 * math.log10(rms_lin2)]
            row += [math.sqrt(lufs_lin2), lufs_lin2, max(lufs, -70)]
            row += [peak / rms, 20 * math.log10(peak / rms), low / high]
            found.append((row, number * length / rate_hz, channel))
    return found


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100])  # the second has an odd half second
def test_the_rows_are_those_of_the_tutorials_words(audio, noise, tone, rate_hz):
    left = noise(4 * rate_hz, 0.05) + tone(frequency_hz=200, rate_hz=rate_hz, duration_s=4, amplitude=0.3)
    right = np.clip(noise(4 * rate_hz, 0.5, seed=1), -0.6, 0.6)
    left[: rate_hz // 2] *= 1e-5  # silent
    right[rate_hz : 2 * rate_hz] *= 6e-4  # over -80 dBFS, under -70 LUFS
    sound = audio(np.stack([left, right], axis=1), rate_hz)
    rows = compute(loudness, sound)
    expected = tutorial_rows(sound.samples.astype(np.float64), rate_hz)
    assert len(rows) == len(expected) == 15
    np.testing.assert_allclose(rows.values, [row for row, _, _ in expected], rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(rows.start_s, [start for _, start, _ in expected], rtol=1e-6)
    assert rows.channel.tolist() == [channel for _, _, channel in expected]
    assert rows.values.dtype == np.float32


def test_the_columns_stand_in_the_tutorials_order():
    names = "true_peak_lin true_peak_lin2 true_peak_db rms_lin2 rms_lin rms_db lufs_lin lufs_lin2 lufs_db"
    assert " ".join(loudness.spec.columns) == f"{names} crest_lin crest_db low_high_ratio"
    assert len(loudness.spec.units) == 12


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_a_full_scale_997_hz_sine_reads_minus_3_01_lufs(tone, rate_hz):
    whole = tone(frequency_hz=997, rate_hz=rate_hz, duration_s=20)
    assert integrated(whole, rate_hz) == pytest.approx(FULL_SCALE_SINE_LUFS, abs=0.02)


def test_each_block_of_that_sine_reads_the_same(audio, tone):
    rows = compute(loudness, audio(tone(frequency_hz=997, rate_hz=48_000, duration_s=3), 48_000))
    assert rows.values.shape == (6, 12)
    # the filters start from rest in every block
    np.testing.assert_allclose(rows.values[:, COLUMN["lufs_db"]], FULL_SCALE_SINE_LUFS, atol=0.02)


def test_the_k_weighting_is_that_of_the_standards_own_filters(noise):
    """The coefficients are those of tables 1 and 2 of BS.1770 annex 1, at 48 kHz; noise needs no gate."""
    signal = noise(10 * 48_000)
    shelf = lfilter(
        [1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585], signal
    )
    weighted = lfilter([1, -2, 1], [1, -1.99004745483398, 0.99007225036621], shelf)
    assert integrated(signal) == pytest.approx(-0.691 + 10 * math.log10(np.mean(weighted**2)), abs=0.01)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([(-23, 20)], id="case 1"),
        pytest.param([(-36, 10), (-23, 60), (-36, 10)], id="case 3: the relative gate"),
        pytest.param([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], id="case 4: both gates"),
        pytest.param([(-26, 20), (-20, 20.1), (-26, 20)], id="case 5: no gate"),
    ],
)
def test_the_gated_cases_of_ebu_tech_3341_read_minus_23(tone, parts):
    """1 kHz in dBFS and seconds. The cases are stereo; one channel of two equal ones reads 3.01 less."""
    signal = np.concatenate(
        [
            tone(frequency_hz=1000, rate_hz=48_000, duration_s=seconds, amplitude=10 ** (level_db / 20))
            for level_db, seconds in parts
        ]
    )
    assert integrated(signal) == pytest.approx(-23 - 3.01, abs=0.05)


def test_minus_33_reads_minus_33(tone):
    signal = tone(frequency_hz=1000, rate_hz=48_000, duration_s=20, amplitude=10 ** (-33 / 20))
    assert integrated(signal) == pytest.approx(-33 - 3.01, abs=0.05)  # EBU Tech 3341 case 2


def test_the_true_peak_of_a_quarter_rate_sine_lies_between_its_samples(audio, tone):
    signal = tone(frequency_hz=12_000, rate_hz=48_000, duration_s=0.5, phase=math.pi / 4)
    assert np.abs(signal).max() == pytest.approx(math.sqrt(0.5))
    row = compute(loudness, audio(signal, 48_000)).values[0]
    assert row[COLUMN["true_peak_lin"]] == pytest.approx(1.0, abs=1e-5)
    assert row[COLUMN["true_peak_lin2"]] == pytest.approx(1.0, abs=1e-5)
    assert row[COLUMN["true_peak_db"]] == pytest.approx(0.0, abs=1e-4)


def test_the_crest_of_a_sine_is_3_01_db_and_its_rms_3_01_dbfs_under_full_scale(audio, tone):
    row = compute(loudness, audio(tone(frequency_hz=1000, rate_hz=48_000, duration_s=0.5), 48_000)).values[0]
    assert row[COLUMN["crest_db"]] == pytest.approx(3.0103, abs=1e-3)
    assert row[COLUMN["crest_lin"]] == pytest.approx(math.sqrt(2), abs=1e-4)
    assert row[COLUMN["rms_db"]] == pytest.approx(-3.0103, abs=1e-4)
    assert row[COLUMN["rms_lin2"]] == pytest.approx(0.5, abs=1e-5)


def test_the_ratio_counts_1000_hz_as_low_and_the_next_bin_as_high(audio, tone):
    def two_tones(low_hz, high_hz):
        parts = (
            tone(frequency_hz=f, rate_hz=48_000, duration_s=0.5, amplitude=a)
            for f, a in ((low_hz, 0.2), (high_hz, 0.1))
        )
        return compute(loudness, audio(sum(parts), 48_000)).values[0, COLUMN["low_high_ratio"]]

    assert two_tones(2, 1002) == pytest.approx(4, rel=1e-4)  # bins are 2 Hz wide
    assert two_tones(1000, 5000) == pytest.approx(4, rel=1e-4)


@pytest.mark.parametrize("frequency_hz", [0, 100, 23_000])
def test_a_block_with_nothing_on_one_side_has_a_finite_ratio(audio, tone, frequency_hz):
    signal = tone(frequency_hz=frequency_hz, rate_hz=48_000, duration_s=0.5, phase=math.pi / 2)
    assert np.isfinite(compute(loudness, audio(signal, 48_000)).values).all()


def test_a_quiet_block_keeps_its_linear_loudness_and_clamps_the_db_at_minus_70(audio, tone):
    def row(level_db):
        signal = tone(frequency_hz=1000, rate_hz=48_000, duration_s=0.5, amplitude=10 ** (level_db / 20))
        return compute(loudness, audio(signal, 48_000)).values[0]

    gated = row(-70)  # -73 LUFS: under the absolute gate
    assert gated[COLUMN["lufs_db"]] == -70
    assert gated[COLUMN["lufs_lin2"]] == gated[COLUMN["lufs_lin"]] == 0
    values = row(-60)
    assert 10 * math.log10(values[COLUMN["lufs_lin2"]]) == pytest.approx(values[COLUMN["lufs_db"]], abs=1e-4)
    assert values[COLUMN["lufs_lin"]] ** 2 == pytest.approx(values[COLUMN["lufs_lin2"]], rel=1e-5)


def test_blocks_at_or_under_minus_80_dbfs_are_skipped_and_the_others_keep_their_times(audio, tone):
    loud, quiet = (
        tone(frequency_hz=1000, rate_hz=8_000, duration_s=0.5, amplitude=math.sqrt(2) * a) for a in (0.1, 0.99e-4)
    )
    rows = compute(loudness, audio(np.concatenate([quiet, loud, quiet, loud, loud[:3999]]), 8_000))
    assert rows.start_s.tolist() == [0.5, 1.5]


def test_a_silent_file_has_no_rows_and_that_is_no_failure(audio):
    rows = compute(loudness, audio(np.zeros((48_000, 2)), 48_000))
    assert rows.values.shape == (0, 12)
    assert len(rows.start_s) == len(rows.channel) == 0


def test_many_blocks_and_six_channels_come_channel_by_channel(audio, noise):
    rows = compute(loudness, audio(noise((20 * 8_000, 6)), 8_000))
    assert rows.channel.tolist() == [channel for channel in range(6) for _ in range(40)]
    assert rows.start_s.tolist() == 6 * [0.5 * i for i in range(40)]


def test_less_than_a_block_is_too_short(audio):
    with pytest.raises(TooShortError, match="needs 24,000"):
        compute(loudness, audio(np.ones(23_999), 48_000))
    assert len(compute(loudness, audio(np.ones(24_000), 48_000))) == 1


def test_a_rate_without_room_for_the_weighting_is_unsupported(audio):
    with pytest.raises(UnsupportedError, match="2,000 Hz"):
        compute(loudness, audio(np.ones(8_000), 2_000))


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("kind", ["white noise", "clipped", "clicks", "low-passed", "a square wave", "quiet steps"])
def test_true_peaks_ratios_and_loudness_are_those_of_slow_references(noise, kind, rate_hz):
    length = rate_hz // 2
    white = noise((4, length), 0.2)
    smooth = lfilter([0.05], [1, -0.95], white)
    time = np.arange(length)
    blocks = {
        "white noise": white,
        "clipped": np.clip(3 * smooth, -0.2, 0.2),
        "clicks": smooth * 0.1 + (noise((4, length), 1) > 3.5),
        "low-passed": smooth,
        "a square wave": np.sign(np.sin(2 * np.pi * 441.3 * time / rate_hz + np.arange(4)[:, np.newaxis])) * 0.7,
        "quiet steps": np.round(smooth * 300) / 32768,
    }[kind].astype(np.float32)
    measured = loudness.measure(blocks, rate_hz)
    exact = blocks.astype(np.float64)
    meter = pyloudnorm.Meter(rate_hz, filter_class="DeMan")
    spectra = np.square(np.abs(np.fft.rfft(exact, axis=1)))
    split = int(1000 / (rate_hz / length)) + 1
    ratios = spectra[:, 1:split].sum(axis=1) / spectra[:, split : length // 2].sum(axis=1)
    peaks = np.abs(resample(exact, 4 * length, axis=1)).max(axis=1)
    np.testing.assert_allclose(measured[:, 0], peaks, rtol=1e-4)
    np.testing.assert_allclose(measured[:, 1], np.mean(exact**2, axis=1), rtol=1e-6)
    np.testing.assert_allclose(measured[:, 2], ratios, rtol=1e-4)
    np.testing.assert_allclose(measured[:, 3], [meter.integrated_loudness(block) for block in exact], atol=1e-6)


def test_the_k_filters_are_pyloudnorms():
    for rate_hz in (8_000, 44_100, 48_000, 192_000):
        stages = pyloudnorm.Meter(rate_hz, filter_class="DeMan")._filters.values()
        expected = [[*stage.b, *stage.a[1:]] for stage in stages]
        np.testing.assert_allclose(weighting.k_filters(rate_hz), expected, rtol=1e-12)
