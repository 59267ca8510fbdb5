"""The demo library: four folders of synthesised sound in every common format, and one broken file.

It stands in for a music collection where none is at hand: `make demo` runs the whole pipeline over it. One file is
broken on purpose (`tones/broken.wav`, a header and nothing behind it), so that the report shows a recorded failure.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from pipeline.errors import UsageError
from pipeline.synthetic.demo_sounds import MAKERS, SoundPlan, record
from pipeline.text import printable
from pipeline.wire import Value

CLASSES = tuple(MAKERS)
"""The labels, each the name of a folder."""
BROKEN = Path("tones", "broken.wav")
"""The one file no decoder can read."""
_STEMS = {"chords": "chord", "drum loops": "loop", "noise": "noise", "tones": "tone"}
_RECORD = "demo.json"
_VERSION = 1
"""Raised whenever other sounds come out for the same seed, so that an older library is replaced."""
_BORDERLINE_EVERY = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How a file of the library is written."""

    container: str
    """Extension in lower case."""
    subtype: str
    """libsndfile's name of the sample format or codec."""
    sample_rate_hz: int
    channels: int


ENCODINGS = (
    Encoding(container="wav", subtype="PCM_16", sample_rate_hz=44_100, channels=2),
    Encoding(container="flac", subtype="PCM_16", sample_rate_hz=48_000, channels=1),
    Encoding(container="ogg", subtype="VORBIS", sample_rate_hz=32_000, channels=2),
    Encoding(container="mp3", subtype="MPEG_LAYER_III", sample_rate_hz=44_100, channels=1),
    Encoding(container="wav", subtype="PCM_24", sample_rate_hz=48_000, channels=1),
    Encoding(container="flac", subtype="PCM_24", sample_rate_hz=44_100, channels=2),
    Encoding(container="ogg", subtype="VORBIS", sample_rate_hz=22_050, channels=1),
    Encoding(container="mp3", subtype="MPEG_LAYER_III", sample_rate_hz=48_000, channels=2),
    Encoding(container="wav", subtype="PCM_16", sample_rate_hz=16_000, channels=1),
    Encoding(container="flac", subtype="PCM_16", sample_rate_hz=22_050, channels=1),
    Encoding(container="ogg", subtype="VORBIS", sample_rate_hz=44_100, channels=2),
    Encoding(container="mp3", subtype="MPEG_LAYER_III", sample_rate_hz=22_050, channels=2),
)
"""Used in turn by the files of every class, so the format does not depend on the label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoLibrary:
    """A demo library on disk."""

    folder: Path
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    """The sound files, sorted; the broken one is not among them."""
    broken: Path
    written: int
    """How many files this call had to write; 0 when the library was there already."""


class _Record(Value, frozen=True, kw_only=True):
    """The content of `demo.json`: which library the folder has, or will have."""

    version: int
    seed: int
    per_class: int
    about: str = f"A library synthesised by chordal for its demo. {BROKEN.as_posix()} is broken on purpose."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One file to be made."""

    name: Path
    label: str
    index: int
    encoding: Encoding


def write_demo_library(folder: Path, *, seed: int = 1, per_class: int = 12) -> DemoLibrary:
    """Write the demo library, or complete the one that is there, and return it.

    Each file has 4 to 8 seconds of sound that follows from the seed, its class and its number alone. Files of the
    same library that exist are left untouched; the files of a demo library with another seed or size are replaced.
    Raises `UsageError` when the folder holds anything else, or cannot be written.
    """
    if per_class < 1:
        raise UsageError(f"demo library: per_class is {per_class}; ask for at least one file per class")
    library = _Record(version=_VERSION, seed=seed, per_class=per_class)
    try:
        _claim(folder, library)
        written = sum(_write_missing(folder, item, seed) for item in _items(per_class))
        if not (folder / BROKEN).exists():
            _put(folder / BROKEN, _truncated_wav())
            written += 1
    except OSError as error:
        raise UsageError(
            f"demo library: cannot write to {printable(str(folder))} ({error.strerror or error})"
        ) from error
    return DemoLibrary(
        folder=folder,
        classes=CLASSES,
        files=tuple(sorted(folder / item.name for item in _items(per_class))),
        broken=folder / BROKEN,
        written=written,
    )


def _items(per_class: int) -> list[_Item]:
    """Return the files of a library of some size."""
    items = []
    for position, label in enumerate(CLASSES):
        for index in range(per_class):
            # Shifted from class to class: borderline cases, which come at fixed numbers, get all formats as well.
            encoding = ENCODINGS[(index + 5 * position) % len(ENCODINGS)]
            name = Path(label, f"{_STEMS[label]}-{index + 1:02d}.{encoding.container}")
            items.append(_Item(name=name, label=label, index=index, encoding=encoding))
    return items


def _claim(folder: Path, library: _Record) -> None:
    """Record the library in its folder, after removing the files of another demo library."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"demo library: {printable(str(folder))} is a file; give a folder")
    existing = _existing(folder)
    if existing == library:
        return
    if existing is not None:
        for name in [item.name for item in _items(existing.per_class)] + [BROKEN]:
            (folder / name).unlink(missing_ok=True)
    for label in CLASSES:
        (folder / label).mkdir(parents=True, exist_ok=True)
    # Written before the files: a run that is cut short is completed by the next one.
    _put(folder / _RECORD, msgspec.json.format(msgspec.json.encode(library)))


def _existing(folder: Path) -> _Record | None:
    """Return which demo library the folder holds; `None` when it is empty or missing."""
    try:
        return msgspec.json.decode((folder / _RECORD).read_bytes(), type=_Record)
    except FileNotFoundError:
        if folder.is_dir() and any(folder.iterdir()):
            raise UsageError(
                f"demo library: {printable(str(folder))} holds other files; give a new or empty folder"
            ) from None
        return None
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"demo library: {printable(str(folder / _RECORD))} is not what chordal wrote ({error}); delete the folder"
        ) from error


def _write_missing(folder: Path, item: _Item, seed: int) -> int:
    """Write one file unless it is there; return how many files were written."""
    target = folder / item.name
    if target.exists():
        return 0
    # A generator per file: a missing file comes back the same, whatever else is there.
    rng = np.random.default_rng([seed, CLASSES.index(item.label), item.index])
    plan = SoundPlan(
        duration_s=round(rng.uniform(4.0, 8.0), 2),
        sample_rate_hz=item.encoding.sample_rate_hz,
        rng=rng,
        borderline=item.index % _BORDERLINE_EVERY == _BORDERLINE_EVERY - 1,
    )
    samples = record(MAKERS[item.label](plan), plan, channels=item.encoding.channels)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    soundfile.write(
        part, samples, plan.sample_rate_hz, format=item.encoding.container.upper(), subtype=item.encoding.subtype
    )
    part.replace(target)
    return 1


def _put(target: Path, content: bytes) -> None:
    """Write a small file so that it is there completely or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(content)
    part.replace(target)


def _truncated_wav() -> bytes:
    """Return the first bytes of a WAV file that promises two million more: cut inside its format chunk."""
    return b"RIFF" + (2_000_000).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little") + b"\x01\x00"
