"""The mean of 40 MFCCs over a file: one vector per track (the tutorial `urbansound-mfcc`)."""

import numpy as np

from pipeline.audio.block import AudioBlock, StreamInfo
from pipeline.features import spectral
from pipeline.features.row_buffer import RowBuffer
from pipeline.features.spec import Accumulator, FeatureRows, FeatureSpec

COEFFICIENTS = 40

spec = FeatureSpec(
    name="mfcc_mean",
    version=1,
    title="Mean of 40 MFCCs",
    columns=tuple(f"mfcc_{i}_mean" for i in range(COEFFICIENTS)),
    units=("dB",) * COEFFICIENTS,
    row_shape=(COEFFICIENTS,),
    parameters={
        **spectral.PARAMETERS,
        "n_mfcc": COEFFICIENTS,
        "n_mels": spectral.MEL_BANDS,
        "top_db": spectral.TOP_DB,
    },
)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (40,): the MFCCs of the mix at 22,050 Hz, averaged over all frames.

    Raises `TooShortError` for a file shorter than one hop (23 ms).
    """
    del stream  # any rate, any channels
    return _MfccMean()


class _MfccMean:
    def __init__(self) -> None:
        self._samples = 0
        # The floor under the decibels depends on the loudest band of all: until it is known, they are kept.
        self._decibels = RowBuffer((spectral.MEL_BANDS,))

    def push(self, block: AudioBlock) -> None:
        self._samples += len(block.mono)
        self._decibels.append(block.log_mel)

    def finish(self) -> FeatureRows:
        from pipeline.kernels import mel

        spectral.check_length(self._samples)
        total = np.zeros(spectral.MEL_BANDS)
        floor = self._decibels.maximum() - np.float32(spectral.TOP_DB)
        for part in self._decibels.parts():
            total += np.maximum(part, floor).sum(axis=0, dtype=np.float64)
        # the mean of the transforms is the transform of the mean
        mean = (total / len(self._decibels)) @ mel.cosines(spectral.MEL_BANDS, COEFFICIENTS).astype(np.float64)
        return FeatureRows(
            values=mean[np.newaxis].astype(np.float32),
            start_s=np.zeros(1, np.float32),
            channel=np.full(1, -1, np.int8),
        )
