"""Short synthesised sounds and a library of three easy classes."""

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 22_050


def sound(seed: int, *, seconds: float = 3.5, rate_hz: int = RATE_HZ, pitch_hz: float = 440.0, noise: float = 0.02):
    """Return a tone with overtones and a little noise, (n, 1) float32."""
    random = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    tone = sum(np.sin(2 * np.pi * pitch_hz * (1 + 0.02 * random.random()) * k * t) / k for k in (1, 2, 3))
    return (0.2 * tone + noise * random.standard_normal(len(t))).astype(np.float32)[:, None]


def write_classes(library: Path, *, per_class: int = 6, seconds: float = 3.5) -> int:
    """Write three easy classes in several formats; return how many files."""
    kinds = {"low": {"pitch_hz": 110.0}, "high": {"pitch_hz": 1_400.0}, "noisy": {"noise": 0.3}}
    formats = ("wav", "flac", "ogg", "mp3")
    for label, how in kinds.items():
        (library / label).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            path = library / label / f"{label} {number}.{formats[number % 4]}"
            soundfile.write(path, sound(number, seconds=seconds, **how), RATE_HZ)
    return len(kinds) * per_class
