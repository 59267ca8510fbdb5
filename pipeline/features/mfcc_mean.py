"""The mean of 40 MFCCs over a file: one vector per track (the tutorial `urbansound-mfcc`)."""

import numpy as np

from pipeline.audio import Audio
from pipeline.features import spectral
from pipeline.features.spec import FeatureRows, FeatureSpec

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


def compute(audio: Audio) -> FeatureRows:
    """Return one row (40,) for the file: MFCCs of its mix at 22,050 Hz, averaged over all frames.

    Raises `TooShortError` for a file shorter than one hop (23 ms).
    """
    spectral.check_length(audio.mono)
    mean = spectral.mfcc(audio.mono, COEFFICIENTS).mean(axis=1, dtype=np.float64)
    return FeatureRows(
        values=mean[np.newaxis].astype(np.float32),
        start_s=np.zeros(1, np.float32),
        channel=np.full(1, -1, np.int8),
    )
