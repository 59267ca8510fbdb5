"""The tones library (T5): a scale of sines, twenty random notes, and each second of the notes as a file of its own."""

import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from pipeline.arrays import Float64
from pipeline.errors import UsageError
from pipeline.plans.library import NOTES, TonesPlan
from pipeline.synthetic.folder import Item, SyntheticLibrary, complete
from pipeline.synthetic.synthesis import NOTE_FREQUENCIES_HZ, frames, tone_sequence

SCALE = "recordings/scale.wav"
MELODY = "recordings/notes.wav"
_VERSION = 1
"""Raised whenever other samples come out for the same plan."""


def random_notes(plan: TonesPlan) -> tuple[str, ...]:
    """Return the names of the random notes, in the order they are played."""
    return tuple(str(name) for name in np.random.default_rng(plan.seed).choice(NOTES, plan.notes))


def scale(plan: TonesPlan) -> Float64:
    """Return the sines from the lowest to the highest frequency, each with its pause, shape (n,)."""
    return _tones(range(plan.lowest_hz, plan.highest_hz + 1, plan.step_hz), plan)


def melody(plan: TonesPlan) -> Float64:
    """Return the random notes, each with its pause, shape (n,)."""
    return _tones([NOTE_FREQUENCIES_HZ[name] for name in random_notes(plan)], plan)


def make_tones(plan: TonesPlan, folder: Path) -> SyntheticLibrary:
    """Write the library, or complete the one that is there.

    Raises `UsageError` for a plan that makes no such sounds, a folder with other things in it, or one that cannot be
    written.
    """
    _check(plan)
    of_sounds = plan.replace(labels="sound")  # the files are the same whatever they are labelled by
    written = complete(folder, {"version": _VERSION, **of_sounds.to_wire()}, _items(plan))
    return SyntheticLibrary(path=folder, labels=f"csv:{folder / f'{plan.labels}.csv'}", written=written)


def _items(plan: TonesPlan) -> Iterator[Item]:
    recording = melody(plan)
    yield Item(SCALE, lambda: _wav(scale(plan), plan))
    yield Item(MELODY, lambda: _wav(recording, plan))
    tone, pause = frames(plan.tone_s, plan.sample_rate_hz), frames(plan.pause_s, plan.sample_rate_hz)
    sounds, rows = [], []
    for number, note in enumerate(random_notes(plan)):
        first = number * (tone + pause)
        sound, silence = f"seconds/{2 * number + 1:03d}-{note}.wav", f"seconds/{2 * number + 2:03d}-pause.wav"
        yield Item(sound, partial(_wav, recording[first : first + tone], plan))
        yield Item(silence, partial(_wav, recording[first + tone : first + tone + pause], plan))
        rows += [(sound, "sound"), (silence, "silence")]
        sounds.append((sound, note))
    yield Item("sound.csv", lambda: _table(rows))
    yield Item("notes.csv", lambda: _table(sounds))


def _tones(frequencies_hz: Sequence[float], plan: TonesPlan) -> Float64:
    return tone_sequence(
        frequencies_hz,
        sample_rate_hz=plan.sample_rate_hz,
        tone_s=plan.tone_s,
        pause_s=plan.pause_s,
        amplitude=plan.amplitude,
        phase_rad=plan.phase_rad,
    )


def _check(plan: TonesPlan) -> None:
    if plan.notes < 1 or plan.step_hz < 1 or plan.sample_rate_hz < 1 or plan.tone_s < 1 or plan.pause_s < 1:
        raise UsageError(
            "library tones: notes, step_hz and sample_rate_hz are whole numbers from 1 up, tone_s and pause_s at least "
            "a second, of which pictures are made"
        )
    if not 0 < plan.lowest_hz <= plan.highest_hz < plan.sample_rate_hz / 2:
        raise UsageError(
            f"library tones: frequencies from {plan.lowest_hz} to {plan.highest_hz} Hz need a sample rate above twice "
            "the highest"
        )
    if not 0 < plan.amplitude <= 1:
        raise UsageError(f"library tones: amplitude is {plan.amplitude}; give a share of full scale above 0, at most 1")


def _wav(samples: Float64, plan: TonesPlan) -> bytes:
    """Return a mono WAV file of 16 bits."""
    file = io.BytesIO()
    soundfile.write(file, samples, plan.sample_rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _table(rows: list[tuple[str, str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("path", "label"), *rows])
    return text.getvalue().encode()
