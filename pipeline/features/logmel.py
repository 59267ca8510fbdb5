"""Log-mel spectrogram: 128 bands in dB, one row per frame."""

import numpy as np

from pipeline.audio import ANALYSIS_RATE_HZ, Audio
from pipeline.features import spectral
from pipeline.features.spec import FeatureRows, FeatureSpec

spec = FeatureSpec(
    name="logmel",
    version=1,
    title="Log-mel spectrogram, 128 bands",
    columns=tuple(f"mel_{i}" for i in range(spectral.MEL_BANDS)),
    units=("dB",) * spectral.MEL_BANDS,
    row_shape=(spectral.MEL_BANDS,),
    parameters={**spectral.PARAMETERS, "n_mels": spectral.MEL_BANDS, "amin": 1e-10},
)


def compute(audio: Audio) -> FeatureRows:
    """Return one row (128,) per centred frame of the mix at 22,050 Hz, dB re 1, not below -100.

    `start_s` is the middle of a frame's window, i * 512 / 22,050 s. Raises `TooShortError` for a file shorter than
    one hop (23 ms).
    """
    spectral.check_length(audio.mono)
    decibels = spectral.mel_decibels(spectral.mel_spectrogram(audio.mono), top_db=None)
    frames = decibels.shape[1]
    return FeatureRows(
        values=np.ascontiguousarray(decibels.T),
        start_s=(np.arange(frames) * (spectral.HOP / ANALYSIS_RATE_HZ)).astype(np.float32),
        channel=np.full(frames, -1, np.int8),
    )
