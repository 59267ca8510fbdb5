"""Log-mel spectrogram: 128 bands in dB, one row per frame."""

import numpy as np

from pipeline.audio.block import ANALYSIS_RATE_HZ, AudioBlock, StreamInfo
from pipeline.audio.framing import HOP
from pipeline.features import spectral
from pipeline.features.row_buffer import RowBuffer
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec

spec = FeatureSpec(
    name="logmel",
    version=1,
    title="Log-mel spectrogram, 128 bands",
    columns=tuple(f"mel_{i}" for i in range(spectral.MEL_BANDS)),
    units=("dB",) * spectral.MEL_BANDS,
    row_shape=(spectral.MEL_BANDS,),
    parameters={**spectral.PARAMETERS, "n_mels": spectral.MEL_BANDS, "amin": 1e-10},
)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (128,) per centred frame of the mix at 22,050 Hz, dB re 1, not below -100.

    `start_s` is the middle of a frame's window, i * 512 / 22,050 s. Raises `TooShortError` for a file shorter than
    one hop (23 ms).
    """
    del stream  # any rate, any channels
    return _LogMel()


class _LogMel:
    def __init__(self) -> None:
        self._samples = 0
        self._rows = RowBuffer(spec.row_shape)

    def push(self, block: AudioBlock) -> None:
        self._samples += len(block.mono)
        self._rows.append(block.log_mel)

    def finish(self) -> FeatureRows:
        spectral.check_length(self._samples)
        return FeatureRows(
            values=self._rows.values(),
            start_s=(np.arange(len(self._rows)) * (HOP / ANALYSIS_RATE_HZ)).astype(np.float32),
            channel=np.full(len(self._rows), -1, np.int8),
        )
