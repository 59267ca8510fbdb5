"""A made piece of music, always the same: strummed strings, a held voice, drums, a little noise; stereo, 44.1 kHz."""

from pathlib import Path

import numpy as np
import soundfile

from pipeline.synthetic.synthesis import (
    NOTE_FREQUENCIES_HZ,
    additive,
    coloured_noise,
    drum,
    frames,
    normalise,
    plucked,
)

RATE_HZ = 44_100
FORMATS = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}
BEAT_S = 0.5


def piece(duration_s: float):
    """Return the piece, (n, 2), peak 0.9."""
    rng = np.random.default_rng(1)
    notes = list(NOTE_FREQUENCIES_HZ.values())
    sound = np.zeros((frames(duration_s, RATE_HZ), 2))

    def add(part, beat: int, pan: float) -> None:
        start = frames(beat * BEAT_S, RATE_HZ)
        part = part[: len(sound) - start]
        sound[start : start + len(part)] += part[:, np.newaxis] * [1 - pan, pan]

    for beat in range(int(duration_s / BEAT_S)):
        add(plucked(rng.choice(notes), 1.5, sample_rate_hz=RATE_HZ), beat, 0.3)
        add(0.6 * drum("hat", sample_rate_hz=RATE_HZ, rng=rng), beat, 0.6)
        add(0.9 * drum("snare" if beat % 2 else "kick", sample_rate_hz=RATE_HZ, rng=rng), beat, 0.5)
        if beat % 4 == 0:
            voice = additive(rng.choice(notes) / 2, 2.0, sample_rate_hz=RATE_HZ, partials=[1, 0.5, 0.3, 0.2, 0.1])
            add(0.5 * voice, beat, 0.8)
    sound += 0.01 * coloured_noise(duration_s, sample_rate_hz=RATE_HZ, rng=rng, exponent=1)[:, np.newaxis]
    return normalise(sound, peak=0.9)


def write_song(folder: Path, *, times: int = 8) -> str:
    """Write half a minute of the piece several times over, four minutes, as an MP3, and return its path."""
    path = folder / "song.mp3"
    sound = piece(30.0)
    with soundfile.SoundFile(path, "w", samplerate=RATE_HZ, channels=2, subtype=FORMATS["mp3"]) as file:
        for _ in range(times):
            file.write(sound)
    return str(path)


def write_piece(folder: Path, duration_s: float) -> list[str]:
    """Write the piece in every format and return the paths."""
    sound = piece(duration_s)
    paths = [str(folder / f"piece.{kind}") for kind in FORMATS]
    for path, subtype in zip(paths, FORMATS.values(), strict=True):
        with soundfile.SoundFile(path, "w", samplerate=RATE_HZ, channels=2, subtype=subtype) as file:
            # libsndfile's Vorbis encoder puts a whole write on the stack and dies of a minute.
            for start in range(0, len(sound), RATE_HZ):
                file.write(sound[start : start + RATE_HZ])
    return paths
