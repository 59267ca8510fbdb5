"""Zero crossings of the mix, per second of sound. Raise `version` whenever the numbers change."""

import numpy as np

from pipeline.audio import ANALYSIS_RATE_HZ
from pipeline.errors import TooShortError
from pipeline.features.spec import FeatureRows, FeatureSpec
from pipeline.features.whole import of_mono

spec = FeatureSpec(
    name="zero_crossings",
    version=1,
    title="Zero crossings of the whole track",
    columns=("crossings_per_s",),
    units=("1/s",),
    row_shape=(1,),
    parameters={"rate_hz": ANALYSIS_RATE_HZ},
)


def crossings(mono: np.ndarray) -> FeatureRows:
    """Return one row (1,) of the mix (n,), float32, at 22,050 Hz."""
    if len(mono) < ANALYSIS_RATE_HZ // 10:
        raise TooShortError("shorter than 0.1 s")
    count = np.count_nonzero(np.diff(np.signbit(mono)))
    values = np.array([[count / len(mono) * ANALYSIS_RATE_HZ]], np.float32)
    return FeatureRows(values=values, start_s=np.zeros(1, np.float32), channel=np.full(1, -1, np.int8))


start = of_mono(crossings)
