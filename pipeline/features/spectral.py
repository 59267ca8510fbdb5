"""What the spectral families have in common: frames at 22,050 Hz, mel bands, MFCC, with librosa's numbers."""

from pipeline.audio.block import ANALYSIS_RATE_HZ
from pipeline.audio.framing import HOP, N_FFT
from pipeline.errors import TooShortError

MEL_BANDS = 128
TOP_DB = 80.0
"""librosa's MFCC is of nothing further than this below the loudest mel band of the signal."""

PARAMETERS: dict[str, float | int | str | bool] = {
    "rate_hz": ANALYSIS_RATE_HZ,
    "n_fft": N_FFT,
    "hop": HOP,
    "window": "hann",
    "pad": "constant",
    "resampler": "soxr HQ",
    "mel": "slaney",
}
"""What every spectral family's numbers depend on."""


def check_length(samples: int, needed: int = HOP) -> None:
    """Raise `TooShortError` for a mix of fewer samples than needed, by default one hop (23 ms)."""
    if samples < needed:
        raise TooShortError(
            f"{samples:,} samples at {ANALYSIS_RATE_HZ:,} Hz; {needed:,} are needed "
            f"({1000 * needed / ANALYSIS_RATE_HZ:.0f} ms)"
        )
