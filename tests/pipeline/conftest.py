"""Sounds and files that the pipeline's tests share."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.stream import Audio

SUBTYPES = {
    "wav": "PCM_16",
    "flac": "PCM_16",
    "ogg": "VORBIS",
    "mp3": "MPEG_LAYER_III",
    "aiff": "PCM_16",
    "au": "PCM_16",
}


def sine(*, frequency_hz, rate_hz, duration_s, amplitude=1.0, phase=0.0):
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return amplitude * np.sin(2 * np.pi * frequency_hz * time_s + phase)


@pytest.fixture
def tone() -> Callable[..., np.ndarray]:
    """Make a sine, shape (n,), float64: frequency_hz, rate_hz, duration_s, amplitude, phase."""
    return sine


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Make Gaussian noise of a seed, float64: shape, deviation, seed."""
    return lambda shape, deviation=0.1, seed=0: np.random.default_rng(seed).normal(0, deviation, shape)


@pytest.fixture
def audio() -> Callable[..., Audio]:
    """Wrap samples (n,) or (n, channels) as decoded audio."""

    def make(samples, rate_hz):
        samples = np.asarray(samples, np.float32)
        return Audio(samples=samples[:, np.newaxis] if samples.ndim == 1 else samples, sample_rate_hz=rate_hz)

    return make


@pytest.fixture
def write(tmp_path) -> Callable[..., str]:
    """Write samples under a name in tmp_path, by default a second of a 440 Hz sine at 22,050 Hz; return the path."""

    def make(name="tone.wav", samples=None, rate_hz=22_050, subtype=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if samples is None:
            samples = sine(frequency_hz=440, rate_hz=rate_hz, duration_s=1.0, amplitude=0.5)
        kind = Path(name).suffix[1:]
        with path.open("wb") as file:
            soundfile.write(file, samples, rate_hz, format=kind.upper(), subtype=subtype or SUBTYPES[kind])
        return str(path)

    return make


@pytest.fixture
def odd_bytes_path(tmp_path) -> str:
    """Return a path whose last part is not UTF-8, or skip where the file system has no such names."""
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9 \xff.wav")  # noqa: PTH118 -- pathlib takes no bytes
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system only has UTF-8 names")
    return os.fsdecode(path)
