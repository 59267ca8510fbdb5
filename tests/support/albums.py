"""Albums in one file, with the cue sheets that cut them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from sounds import RATE_HZ, sound

TRACK_S = 4
"""How long each track of an album is."""


def sheet(file: str, *, genre: str = "Jazz", artist: str = "Band", starts_s: Sequence[int] = (0, 4, 8)) -> str:
    """Return a cue sheet that cuts a file at some seconds."""
    lines = [f'PERFORMER "{artist}"', 'TITLE "Album"', f"REM GENRE {genre}", f'FILE "{file}" WAVE']
    for number, start_s in enumerate(starts_s, 1):
        lines += [
            f"  TRACK {number:02d} AUDIO",
            f'    TITLE "Song {number}"',
            f"    INDEX 01 {start_s // 60:02d}:{start_s % 60:02d}:00",
        ]
    return "\n".join(lines) + "\n"


def write_album(path: Path, *, pitches_hz: Sequence[float] = (110.0, 440.0, 1_400.0)) -> list[np.ndarray]:
    """Write an album of a track for each pitch, and return the tracks, (n, 1) of 16-bit samples each."""
    samples = np.concatenate(
        [sound(number, seconds=TRACK_S, pitch_hz=pitch_hz) for number, pitch_hz in enumerate(pitches_hz)]
    )
    soundfile.write(path, samples, RATE_HZ)
    stored = soundfile.read(path, dtype="int16", always_2d=True)[0]
    return np.split(stored, len(pitches_hz))
