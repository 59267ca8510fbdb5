import math

import numpy as np
import pytest
from scipy.signal import lfilter, resample_poly

from pipeline.audio.block import StreamInfo
from pipeline.audio.stream import AudioStream
from pipeline.errors import TooShortError, UnsupportedError
from pipeline.features.families import ebu_r128, ebu_r128_dual_mono
from pipeline.features.spec import compute

RATE_HZ = 48_000


@pytest.fixture
def measure(audio):
    """Measure samples; return the numbers by column."""
    return lambda samples, rate_hz=RATE_HZ: dict(
        zip(ebu_r128.spec.columns, compute(ebu_r128, audio(samples, rate_hz)).values[0].tolist(), strict=True)
    )


def levels(*parts, channels=2, rate_hz=RATE_HZ):
    """Make a 1 kHz sine of levels and lengths (dBFS of the peak, seconds), alike in all channels, phase going on."""
    amplitude = np.concatenate([np.full(round(rate_hz * s), 10 ** (db / 20)) for db, s in parts])
    sine = amplitude * np.sin(2 * np.pi * 1000 * np.arange(len(amplitude)) / rate_hz)
    return np.repeat(sine[:, np.newaxis], channels, axis=1)


# -- against formulas written a second time, slowly, from the standards


def slow_measure(samples, weights):
    """Return the six numbers at 48 kHz from BS.1770-5 and Tech 3342, window by window."""
    weighted = lfilter(
        [1.53512485958697, -2.69169618940638, 1.19839281085285],
        [1, -1.69065929318241, 0.73248077421585],
        samples,
        axis=0,
    )
    weighted = lfilter([1, -2, 1], [1, -1.99004745483398, 0.99007225036621], weighted, axis=0)
    power = np.square(weighted) @ np.array(weights)

    def loudness(mean_square):
        return -0.691 + 10 * math.log10(mean_square)

    def windows(length_s, step_s):
        length, step = round(length_s * RATE_HZ), round(step_s * RATE_HZ)
        return [power[at : at + length].mean() for at in range(0, len(power) - length + 1, step)]

    gating = [w for w in windows(0.4, 0.1) if loudness(w) > -70]
    relative = loudness(np.mean(gating)) - 10
    integrated = loudness(np.mean([w for w in gating if loudness(w) > relative]))
    short = [w for w in windows(3, 0.1) if loudness(w) >= -70]
    relative = loudness(np.mean(short)) - 20
    short = sorted(loudness(w) for w in short if loudness(w) >= relative)
    # Tech 3342, section 5: the nearest rank
    low, high = (short[math.floor((len(short) - 1) * share + 0.5)] for share in (0.1, 0.95))
    momentary_max, short_term_max = (loudness(max(windows(length_s, 0.01))) for length_s in (0.4, 3))
    return [integrated, high - low, momentary_max, short_term_max, slow_true_peak(samples), slow_sample_peak(samples)]


PHASES = [
    (
        "0.0017089843750 0.0109863281250 -0.0196533203125 0.0332031250000 -0.0594482421875 0.1373291015625 "
        "0.9721679687500 -0.1022949218750 0.0476074218750 -0.0266113281250 0.0148925781250 -0.0083007812500"
    ),
    (
        "-0.0291748046875 0.0292968750000 -0.0517578125000 0.0891113281250 -0.1665039062500 0.4650878906250 "
        "0.7797851562500 -0.2003173828125 0.1015625000000 -0.0582275390625 0.0330810546875 -0.0189208984375"
    ),
    (
        "-0.0189208984375 0.0330810546875 -0.0582275390625 0.1015625000000 -0.2003173828125 0.7797851562500 "
        "0.4650878906250 -0.1665039062500 0.0891113281250 -0.0517578125000 0.0292968750000 -0.0291748046875"
    ),
    (
        "-0.0083007812500 0.0148925781250 -0.0266113281250 0.0476074218750 -0.1022949218750 0.9721679687500 "
        "0.1373291015625 -0.0594482421875 0.0332031250000 -0.0196533203125 0.0109863281250 0.0017089843750"
    ),
]


def slow_sample_peak(samples):
    return 20 * math.log10(np.abs(samples).max())


def slow_true_peak(samples):
    highest = np.abs(samples).max()
    for channel in samples.T:
        for phase in PHASES:
            highest = max(highest, np.abs(np.convolve(channel, np.array(phase.split(), float))).max())
    return 20 * math.log10(highest)


def test_the_row_is_what_the_formulas_say_of_5_1_channels_that_swell(audio, noise):
    swell = 10 ** (np.interp(np.arange(9 * RATE_HZ) / RATE_HZ, [0, 3, 5, 9], [-75, -3, -30, -12]) / 20)
    samples = (noise((len(swell), 6), 0.2) * swell[:, np.newaxis] * [1, 0.7, 0.5, 3, 0.4, 0.3]).astype(np.float32)
    rows = compute(ebu_r128, audio(samples, RATE_HZ))
    expected = slow_measure(samples.astype(np.float64), [1, 1, 1, 0, 1.41, 1.41])
    np.testing.assert_allclose(rows.values[0], expected, atol=1e-4)
    assert (rows.start_s.tolist(), rows.channel.tolist()) == ([0.0], [-1])


def test_however_the_stream_is_cut_every_bit_is_the_same(noise):
    samples = noise((5 * 11_025, 3)).astype(np.float32)  # 10 ms are 110.25 samples
    rows = []
    for cuts in ([], [1, 2, 110, 111, 500, 20_001, 20_002], list(range(997, 55_000, 997))):
        meter = ebu_r128.start(StreamInfo(rate_hz=11_025, channels=3))
        for block in AudioStream(StreamInfo(rate_hz=11_025, channels=3)).blocks(np.split(samples, cuts)):
            meter.push(block)
        rows.append(meter.finish().values)
    np.testing.assert_array_equal(rows[1], rows[0])
    np.testing.assert_array_equal(rows[2], rows[0])


# -- the minimum requirements of EBU Tech 3341 (+-0.1 LU) and 3342 (+-1 LU); 7 and 8 are recordings


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([(-23, 20)], -23, id="case 1"),
        pytest.param([(-33, 20)], -33, id="case 2"),
        pytest.param([(-36, 10), (-23, 60), (-36, 10)], -23, id="case 3"),
        pytest.param([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23, id="case 4"),
        pytest.param([(-26, 20), (-20, 20.1), (-26, 20)], -23, id="case 5"),
    ],
)
def test_integrated_loudness_of_tech_3341_cases_1_to_5(measure, parts, expected):
    assert measure(levels(*parts))["integrated"] == pytest.approx(expected, abs=0.03)


def test_steady_tones_read_alike_on_all_three_scales(measure):
    row = measure(levels((-23, 20)))
    assert [row[name] for name in ("integrated", "momentary_max", "short_term_max")] == pytest.approx(
        [-23] * 3, abs=0.03
    )
    assert row["range"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("channels", [5, 6])
def test_case_6_of_tech_3341_weighs_surrounds_and_leaves_the_lfe_out(measure, channels):
    gains_db = {5: [-28, -28, -24, -30, -30], 6: [-28, -28, -24, 0, -30, -30]}[channels]
    samples = levels((0, 20), channels=channels) * 10 ** (np.array(gains_db) / 20)
    assert measure(samples)["integrated"] == pytest.approx(-23, abs=0.03)


def test_case_9_of_tech_3341_short_term_loudness_of_a_pattern_as_long_as_its_window(measure):
    row = measure(levels(*[(-20, 1.34), (-30, 1.66)] * 5))
    assert row["short_term_max"] == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("number", range(20))
def test_cases_10_and_13_of_tech_3341_find_a_tone_just_as_long_as_the_window_wherever_it_lies(measure, number):
    short_term = levels((-120, 0.15 * number), (-23, 3), (-120, 1))
    assert measure(short_term)["short_term_max"] == pytest.approx(-23, abs=0.1)
    momentary = levels((-120, 0.02 * number), (-23, 0.4), (-120, 1))
    assert measure(momentary)["momentary_max"] == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("level_db", [-38, -30, -19])
def test_cases_11_and_14_of_tech_3341_maxima_at_rising_levels(measure, level_db):
    assert measure(levels((-120, 1), (level_db, 3), (-120, 1)))["short_term_max"] == pytest.approx(level_db, abs=0.1)
    assert measure(levels((-120, 1), (level_db, 0.4), (-120, 1)))["momentary_max"] == pytest.approx(level_db, abs=0.1)


def test_case_12_of_tech_3341_momentary_loudness_of_a_pattern_as_long_as_its_window(measure):
    row = measure(levels(*[(-20, 0.18), (-30, 0.22)] * 25))
    assert row["momentary_max"] == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize(
    ("rate_share", "phase_degrees", "amplitude", "expected_dbtp"),
    [
        pytest.param(4, 0, 0.50, -6.0, id="case 15"),
        pytest.param(4, 45, 0.50, -6.0, id="case 16"),
        pytest.param(6, 60, 0.50, -6.0, id="case 17"),
        pytest.param(8, 67.5, 0.50, -6.0, id="case 18"),
        pytest.param(4, 45, 1.41, 3.0, id="case 19"),
    ],
)
@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_true_peak_of_tech_3341_cases_15_to_19(
    measure, tone, rate_hz, rate_share, phase_degrees, amplitude, expected_dbtp
):
    sine = tone(
        frequency_hz=rate_hz / rate_share,
        rate_hz=rate_hz,
        duration_s=1,
        amplitude=amplitude,
        phase=math.radians(phase_degrees),
    )
    # a sine that begins at once rings; the standard's files fade in and out
    fade = np.minimum(1, np.minimum(np.arange(rate_hz), np.arange(rate_hz)[::-1]) / (0.1 * rate_hz))
    row = measure(np.stack([sine * fade] * 2, axis=1), rate_hz)
    assert expected_dbtp - 0.4 <= row["true_peak"] <= expected_dbtp + 0.2


@pytest.mark.parametrize("offset", range(4))
def test_true_peak_of_tech_3341_cases_20_to_23_a_period_at_full_scale_between_the_samples(measure, offset):
    """One period of a quarter-rate sine at full scale in one of half, made at four times the rate."""
    time = np.arange(4 * RATE_HZ)
    middle = 2 * RATE_HZ
    amplitude = np.where((time >= middle) & (time < middle + 24), 1.0, 0.5)
    fade = np.minimum(1, np.minimum(time, time[::-1]) / (0.4 * RATE_HZ))
    signal = fade * amplitude * np.sin(2 * np.pi * time / 24)  # a sixth of the rate
    samples = resample_poly(np.roll(signal, offset), 1, 4)
    expected = 20 * math.log10(np.abs(resample_poly(samples, 32, 1)).max())
    assert expected - 0.4 <= measure(samples)["true_peak"] <= expected + 0.2


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([(-20, 20), (-30, 20)], 10, id="case 1"),
        pytest.param([(-20, 20), (-15, 20)], 5, id="case 2"),
        pytest.param([(-40, 20), (-20, 20)], 20, id="case 3"),
        pytest.param([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15, id="case 4"),
    ],
)
def test_loudness_range_of_tech_3342_cases_1_to_4(measure, parts, expected):
    assert measure(levels(*parts))["range"] == pytest.approx(expected, abs=0.2)


# -- what else is promised


@pytest.mark.parametrize(
    ("rate_hz", "within_db"), [(8_000, 0.04), (22_050, 0.04), (44_100, 0.01), (48_000, 0.01), (192_000, 0.04)]
)
def test_a_full_scale_997_hz_sine_in_one_channel_reads_minus_3_01_lufs(measure, tone, rate_hz, within_db):
    sine = tone(frequency_hz=997, rate_hz=rate_hz, duration_s=5)
    assert measure(sine, rate_hz)["integrated"] == pytest.approx(-3.01, abs=within_db)
    silent_right = np.stack([sine, np.zeros(len(sine))], axis=1)
    assert measure(silent_right, rate_hz)["integrated"] == pytest.approx(-3.01, abs=within_db)


def test_the_true_peak_is_no_less_than_the_sample_peak_and_finds_one_between_the_last_samples(measure):
    click = np.zeros(RATE_HZ)
    click[20_000] = -0.5
    row = measure(click)
    assert row["true_peak"] == row["sample_peak"] == pytest.approx(-6.02, abs=0.01)
    click[:] = 0
    click[-2:] = 0.5  # the interpolated peak lies between these two
    row = measure(click)
    assert row["true_peak"] == pytest.approx(slow_true_peak(click[:, np.newaxis]), abs=1e-4)
    assert row["true_peak"] > row["sample_peak"] + 1


def test_silence_reads_the_floors(measure):
    row = measure(np.zeros((4 * RATE_HZ, 2)))
    assert list(row.values()) == [-70, 0, -120, -120, -120, -120]


def test_under_400_ms_is_too_short_and_under_3_s_has_no_range(measure):
    with pytest.raises(TooShortError, match=r"0\.39 s; the gated loudness needs 0\.4 s"):
        measure(levels((-20, 0.399)))
    row = measure(levels((-20, 0.4)))
    assert row["integrated"] == pytest.approx(-20, abs=0.1)
    assert row["range"] == 0
    assert row["short_term_max"] == pytest.approx(-20 + 10 * math.log10(0.4 / 3), abs=0.1)


def test_a_rate_too_low_for_the_weighting_is_refused():
    with pytest.raises(UnsupportedError, match="3,999 Hz"):
        ebu_r128.start(StreamInfo(rate_hz=3_999, channels=1))


def test_layouts_beyond_eight_channels_count_alike():
    assert ebu_r128.channel_weights(1) == (1.0,)
    assert ebu_r128.channel_weights(12) == (1.0,) * 12
    assert all(len(ebu_r128.channel_weights(n)) == n for n in range(1, 20))


@pytest.mark.parametrize(
    ("names", "weights"),
    [
        ("FL FR LFE", [1, 1, 0]),
        ("FL FR FC LFE", [1, 1, 1, 0]),
        ("FL FR BL BR", [1, 1, 1.41, 1.41]),
        ("FL FR FC BC", [1, 1, 1, 1]),
        ("FL FR FC LFE SL SR", [1, 1, 1, 0, 1.41, 1.41]),
        ("FL FR FC LFE BL BR SL SR", [1, 1, 1, 0, 1, 1, 1.41, 1.41]),
        ("FL FR FC LFE SL SR TFL TFR LFE2", [1, 1, 1, 0, 1.41, 1.41, 1, 1, 0]),
    ],
)
def test_channels_with_names_weigh_by_where_their_loudspeakers_stand(names, weights):
    assert list(ebu_r128.channel_weights(len(weights), tuple(names.split()))) == weights


def test_names_of_another_number_of_channels_are_no_names():
    assert ebu_r128.channel_weights(3, ("FL", "FR")) == (1.0, 1.0, 1.0)


def test_an_effects_channel_in_a_file_of_its_own_is_the_sound():
    assert ebu_r128.channel_weights(1, ("LFE",)) == (1.0,)


def test_as_dual_mono_one_channel_reads_as_loud_as_the_same_in_two(audio, measure):
    one = levels((-20, 4), channels=1)

    def dual(samples):
        return compute(ebu_r128_dual_mono, audio(samples, RATE_HZ)).values[0]

    both = measure(np.repeat(one, 2, axis=1))
    np.testing.assert_allclose(dual(one), [*both.values()], atol=1e-4)
    assert both["integrated"] - measure(one)["integrated"] == pytest.approx(3.01, abs=0.01)
    np.testing.assert_array_equal(dual(levels((-20, 4), channels=3)), [*measure(levels((-20, 4), channels=3)).values()])
