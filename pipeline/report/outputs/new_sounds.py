"""The saved model, loaded again, on sounds that were made after training (T5)."""

import numpy as np

from pipeline.audio.stream import Audio
from pipeline.features.registry import family
from pipeline.features.spec import compute
from pipeline.learning.study.measurements import NewSound
from pipeline.plans.library import NOTES, TonesPlan
from pipeline.report.outputs.study import Study
from pipeline.synthetic.synthesis import NOTE_FREQUENCIES_HZ, silence, sine

_QUIETER = 0.5
"""Of the amplitude that was learned: new sounds are not copies of old ones."""
_ROUNDS = 2


def predict_new_sounds(study: Study) -> tuple[NewSound, ...]:
    """Return the loaded classifier's predictions of each note, of another loudness and phase, and of silence."""
    plan = study.recipe.library
    if not isinstance(plan, TonesPlan):
        return ()
    random = np.random.default_rng([study.split.seed % 2**64, 0x746F6E])
    predictions = []
    for name in [*NOTES, "silence"] * _ROUNDS:
        truth = name if plan.labels == "notes" else "silence" if name == "silence" else "sound"
        if truth not in study.manifest.classes:
            continue
        if name == "silence":
            samples = silence(1.0, sample_rate_hz=plan.sample_rate_hz)
        else:
            samples = sine(
                NOTE_FREQUENCIES_HZ[name],
                1.0,
                sample_rate_hz=plan.sample_rate_hz,
                amplitude=plan.amplitude * random.uniform(_QUIETER, 1.0),
                phase_rad=random.uniform(0, 2 * np.pi),
            )
        # As a file of 16 bits has them.
        stored = np.round(samples * 32_767) / 32_768
        audio = Audio(samples=stored[:, np.newaxis].astype(np.float32), sample_rate_hz=plan.sample_rate_hz)
        rows = compute(family(study.spec.features), audio).values
        probabilities = study.classifier.probabilities({key: [rows] for key in study.classifier.features})[0]
        best = int(probabilities.argmax())
        predictions.append(
            NewSound(truth=truth, label=study.classifier.classes[best], probability=float(probabilities[best]))
        )
    return tuple(predictions)
