"""Every kind of odd file in a real collection, and the outcome that each must have."""

import os
from pathlib import Path

import numpy as np
import soundfile
from sounds import RATE_HZ, sound

GOOD = "features"


def write_odd_files(folder: Path) -> dict[str, str]:
    """Write odd files into a class folder; return, by file name, `features` or the failure's kind."""
    # Twenty folders deep; the last one is the label again.
    deep = folder.joinpath(*(f"level {n}" for n in range(19)), folder.name)
    deep.mkdir(parents=True)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    expected: dict[str, str] = {}

    def put(name: str, outcome: str, samples, rate_hz: int = RATE_HZ, *, where: Path = folder, **how) -> Path:
        path = where / name
        with path.open("wb") as file:
            soundfile.write(file, samples, rate_hz, **{"format": "WAV", **how})
        expected[name] = outcome
        return path

    (folder / "not audio.wav").write_text("dear diary", "utf-8")
    expected["not audio.wav"] = "unreadable"
    (folder / "nothing.flac").touch()
    expected["nothing.flac"] = "empty"
    put("three samples.wav", "too_short", np.zeros((3, 1), np.float32))
    put("nan.wav", "unsupported", np.full((RATE_HZ * 4, 1), np.nan, np.float32), subtype="FLOAT")
    put("silent.wav", GOOD, np.zeros((RATE_HZ * 4, 1), np.float32))
    put("telephone.wav", GOOD, sound(1, rate_hz=8_000), 8_000)
    put("studio.wav", GOOD, sound(2, rate_hz=192_000), 192_000)
    put("surround.wav", GOOD, np.repeat(sound(3), 6, axis=1))
    put("with 'single' and \"double\" quotes.wav", GOOD, sound(4))
    put("two\nlines.wav", GOOD, sound(5))
    put(os.fsdecode(b"caf\xe9 latin-1.wav"), GOOD, sound(6))
    put("<script>alert(1)</script>.wav".replace("/", "_"), GOOD, sound(7))
    cut = put("truncated.flac", "either", sound(8, seconds=8.0), format="FLAC")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    put("deep.wav", GOOD, sound(9), where=deep)
    return expected
