"""Loudness of the whole track, with a mono file measured as it sounds from two loudspeakers."""

from pipeline.audio.block import StreamInfo
from pipeline.features.families import ebu_r128
from pipeline.features.spec import Accumulator

spec = ebu_r128.spec.replace(
    name="ebu_r128_dual_mono",
    title="EBU R 128 loudness, range and true peak of the whole track, mono as from two loudspeakers",
    parameters={**ebu_r128.spec.parameters, "dual_mono": True},
)

_BOTH_LOUDSPEAKERS = (2.0,)


def start(stream: StreamInfo) -> Accumulator:
    """Return the accumulator of one row (6,) as `ebu_r128` has it, with every loudness of one channel 3.01 LU higher.

    Most players give a mono file to two loudspeakers, where it is as loud as a stereo file with the same sound in both
    channels. Range and peaks, and all numbers of other files, are those of `ebu_r128`. Raises what that raises.
    """
    ebu_r128.require_rate(stream)
    if stream.channels == 1:
        return ebu_r128.Meter(stream, _BOTH_LOUDSPEAKERS)
    return ebu_r128.start(stream)
