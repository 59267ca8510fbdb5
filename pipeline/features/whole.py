"""For families of the whole signal: it is collected up to a bound."""

from collections.abc import Callable

import numpy as np

from pipeline.arrays import Float32
from pipeline.audio.block import ANALYSIS_RATE_HZ, AudioBlock, StreamInfo
from pipeline.audio.stream import Audio
from pipeline.errors import TooLargeError
from pipeline.features.spec import Accumulator, FeatureRows

MAX_DURATION_S = 1800.0
"""Half an hour: 160 MB of mix, 640 MB of stereo at 44.1 kHz."""


def of_mono(
    compute: Callable[[Float32], FeatureRows], *, max_duration_s: float = MAX_DURATION_S
) -> Callable[[StreamInfo], Accumulator]:
    """Return a family's `start` from a function of the whole mix at 22,050 Hz, (n,)."""
    return lambda _: _WholeSignal(
        lambda block: block.mono, compute, max_samples=int(max_duration_s * ANALYSIS_RATE_HZ), bound_s=max_duration_s
    )


def of_audio(
    compute: Callable[[Audio], FeatureRows], *, max_duration_s: float = MAX_DURATION_S
) -> Callable[[StreamInfo], Accumulator]:
    """Return a family's `start` from a function of the whole audio at its own rate, all channels."""

    def start(stream: StreamInfo) -> Accumulator:
        return _WholeSignal(
            lambda block: block.samples,
            lambda samples: compute(
                Audio(samples=samples, sample_rate_hz=stream.rate_hz, channel_names=stream.channel_names)
            ),
            max_samples=int(max_duration_s * stream.rate_hz),
            bound_s=max_duration_s,
        )

    return start


class _WholeSignal:
    """Collects the pieces of a signal and computes the rows of all of it."""

    def __init__(
        self,
        piece: Callable[[AudioBlock], Float32],
        compute: Callable[[Float32], FeatureRows],
        *,
        max_samples: int,
        bound_s: float,
    ) -> None:
        self._piece = piece
        self._compute = compute
        self._max_samples = max_samples
        self._bound_s = bound_s
        self._samples = 0
        self._pieces: list[Float32] = []

    def push(self, block: AudioBlock) -> None:
        piece = self._piece(block)
        self._samples += len(piece)
        if self._samples > self._max_samples:
            self._pieces.clear()
            raise TooLargeError(f"longer than this family's bound of {self._bound_s:,.0f} s")
        self._pieces.append(piece.copy())

    def finish(self) -> FeatureRows:
        signal = np.concatenate(self._pieces)
        self._pieces.clear()
        return self._compute(signal)
