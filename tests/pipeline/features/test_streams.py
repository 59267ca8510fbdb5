import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audio.block import StreamInfo
from pipeline.audio.framing import power_of_frames
from pipeline.audio.stream import Audio, AudioStream
from pipeline.errors import TooLargeError
from pipeline.features import row_buffer, whole
from pipeline.features.registry import families
from pipeline.features.row_buffer import RowBuffer
from pipeline.features.slopes import slope
from pipeline.features.spec import FeatureRows, compute
from pipeline.kernels import mel


def rows_of(samples, rate_hz, pieces):
    """Return the values of every family, from the samples cut into pieces."""
    info = StreamInfo(rate_hz=rate_hz, channels=samples.shape[1])
    working = {name: family.start(info) for name, family in families().items()}
    for block in AudioStream(info).blocks(pieces):
        for each in working.values():
            each.push(block)
    return {name: each.finish() for name, each in working.items()}


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.integers(1, 150_000), max_size=8),
    st.sampled_from([8_000, 22_050, 44_100]),
    st.integers(1, 3),
)
def test_pieces_of_any_size_give_the_same_rows(sizes, rate_hz, channels):
    samples = np.random.default_rng(1).normal(0, 0.1, (4 * rate_hz + 77, channels)).astype(np.float32)
    reference = rows_of(samples, rate_hz, [samples])
    cut = rows_of(samples, rate_hz, np.split(samples, np.cumsum(sizes)))
    for name, rows in cut.items():
        np.testing.assert_allclose(rows.values, reference[name].values, rtol=1e-4, atol=1e-4, err_msg=name)
        np.testing.assert_array_equal(rows.start_s, reference[name].start_s)
        np.testing.assert_array_equal(rows.channel, reference[name].channel)


def test_a_buffer_that_is_used_again_changes_nothing(noise):
    samples = noise((5 * 22_050, 2)).astype(np.float32)

    def pieces():
        buffer = np.empty((9_999, 2), np.float32)
        for first in range(0, len(samples), len(buffer)):
            part = samples[first : first + len(buffer)]
            buffer[: len(part)] = part
            yield buffer[: len(part)]
            buffer.fill(9)

    reference = rows_of(samples, 22_050, [samples])
    for name, rows in rows_of(samples, 22_050, pieces()).items():
        np.testing.assert_allclose(rows.values, reference[name].values, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("samples", [512, 513, 2047, 2048, 5000, 66_150])
def test_frames_are_librosas(noise, samples):
    signal = noise(samples).astype(np.float32)
    # librosa warns below one frame; the zeros it then pads with are ours
    expected = np.abs(librosa.stft(np.pad(signal, (0, max(0, 2048 - samples)))))[:, : 1 + samples // 512] ** 2
    power = power_of_frames(signal)
    assert power.shape == expected.T.shape
    np.testing.assert_allclose(power, expected.T, rtol=1e-4, atol=1e-5 * expected.max())


@pytest.mark.parametrize("count", [40, 128])
def test_mel_filters_and_cosines_are_librosas(count):
    np.testing.assert_allclose(mel.filters(count), librosa.filters.mel(sr=22_050, n_fft=2048, n_mels=count), atol=1e-7)
    power = np.random.default_rng(0).random((37, 1025)).astype(np.float32)
    np.testing.assert_allclose(mel.bands(power, count), power @ mel.filters(count).T, rtol=1e-5)
    decibels = np.random.default_rng(1).normal(0, 20, (count, 5)).astype(np.float32)
    np.testing.assert_allclose(
        decibels.T @ mel.cosines(count, 16), librosa.feature.mfcc(S=decibels, n_mfcc=16).T, atol=1e-4
    )


def test_decibels_are_exact_to_2e_5_over_all_powers_and_stop_at_minus_100():
    power = 10.0 ** np.random.default_rng(0).uniform(-12, 20, (301, 17))
    power[0, :3] = 0, 1, 1e-10
    power = power.astype(np.float32)
    decibels = mel.decibels(power)
    np.testing.assert_allclose(decibels, 10 * np.log10(np.maximum(power.astype(np.float64), 1e-10)), atol=2e-5)
    assert (decibels.min(), decibels[0, 1]) == (-100, 0)


@pytest.mark.parametrize("order", [1, 2])
def test_slopes_are_librosas_delta(noise, order):
    frames = noise((50, 3), 5)
    np.testing.assert_allclose(slope(frames, order), librosa.feature.delta(frames.T, order=order).T, atol=1e-9)


def test_rows_beyond_the_bound_lie_in_a_file_and_read_the_same(noise):
    rows = noise((100, 7)).astype(np.float32)
    kept, spilled = RowBuffer((7,)), RowBuffer((7,), spill_bytes=500)
    for part in np.split(rows, [1, 30, 31, 77]):
        kept.append(part)
        spilled.append(part)
    assert isinstance(spilled.values(), np.memmap)
    for each in (kept, spilled):
        assert len(each) == 100
        np.testing.assert_array_equal(each.values(), rows)
        np.testing.assert_array_equal(np.concatenate(list(each.parts())), rows)
        assert each.maximum() == rows.max()


def test_every_family_gives_the_same_rows_from_a_file_as_from_memory(noise, monkeypatch):
    audio = Audio(samples=noise((9 * 22_050, 1)).astype(np.float32), sample_rate_hz=22_050)
    reference = {name: compute(family, audio).values for name, family in families().items()}
    monkeypatch.setattr(RowBuffer.__init__, "__kwdefaults__", {"spill_bytes": 100})
    monkeypatch.setattr(row_buffer, "_READ_BYTES", 5_000)
    for name, family in families().items():
        np.testing.assert_allclose(compute(family, audio).values, reference[name], rtol=1e-5, atol=1e-5)


def test_a_share_requested_too_late_is_refused(noise):
    stream = AudioStream(StreamInfo(rate_hz=22_050, channels=1))
    blocks = stream.blocks(np.split(noise((4_000, 1)).astype(np.float32), 2))
    next(blocks)
    block = next(blocks)
    with pytest.raises(RuntimeError, match="middle of a stream"):
        block.mono  # noqa: B018


def test_a_family_that_wants_the_whole_signal_gets_it_up_to_its_bound(noise):
    samples = noise((3 * 44_100, 2)).astype(np.float32)
    signals = []

    def rows_of(signal):
        signals.append(signal)
        return FeatureRows(
            values=np.zeros((1, 1), np.float32), start_s=np.zeros(1, np.float32), channel=np.zeros(1, np.int8)
        )

    def run(start):
        info = StreamInfo(rate_hz=44_100, channels=2)
        working = start(info)
        for block in AudioStream(info).blocks(np.split(samples, 5)):
            working.push(block)
        working.finish()
        return signals.pop()

    audio = Audio(samples=samples, sample_rate_hz=44_100)
    np.testing.assert_array_equal(run(whole.of_audio(rows_of)).samples, samples)
    np.testing.assert_array_equal(run(whole.of_mono(rows_of)), audio.mono)
    for start in (whole.of_audio, whole.of_mono):
        with pytest.raises(TooLargeError, match="bound of 2 s"):
            run(start(rows_of, max_duration_s=2))


def test_what_two_families_hear_in_a_block_is_computed_once(noise):
    computed = []

    def loudest(block):
        computed.append(block)
        return block.samples.max(initial=0)

    blocks = list(AudioStream(StreamInfo(rate_hz=22_050, channels=1)).blocks([noise((4_000, 1)).astype(np.float32)]))
    assert [block.once(loudest) for block in blocks] == [block.once(loudest) for block in blocks]
    assert computed == blocks


def test_all_families_together_tell_what_each_tells_alone(noise):
    audio = Audio(samples=noise((5 * 44_100, 2)).astype(np.float32), sample_rate_hz=44_100)
    for name, rows in rows_of(audio.samples, 44_100, audio.pieces()).items():
        np.testing.assert_array_equal(rows.values, compute(families()[name], audio).values, err_msg=name)
