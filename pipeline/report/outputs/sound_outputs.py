"""Outputs on sounds: waves, spectra and spectrograms, each of one decoded file per class or fewer."""

import base64
import io

import numpy as np
import soundfile

from pipeline.arrays import Float32
from pipeline.audio.block import ANALYSIS_RATE_HZ
from pipeline.audio.framing import HOP, N_FFT, mel_of_frames, power_of_frames
from pipeline.audio.stream import Audio
from pipeline.errors import PermanentError, TransientError
from pipeline.features.spectral import MEL_BANDS, TOP_DB
from pipeline.learning.study.measurements import Measurements
from pipeline.report.outputs.sound_figures import magnitude_spectrum, mel_ticks, spectrogram, wave, waves
from pipeline.report.outputs.study import Study
from pipeline.report.view import Block, Chart, Column, Section, Sound, Table
from pipeline.report.words import count
from pipeline.text import printable

SHOWN_S = 30.0
"""Of a file; more would not be visible in a picture."""
FIRST_S = 0.01
COEFFICIENTS = 40
LISTENED_S = 4.0
_MOST_RECORDINGS = 2
_FLOOR = 1e-10
_ABOUT_RANGES = (
    "Samples are read as shares of full scale, whatever a file stores them as. The mean of the channels, resampled, "
    "has a range of its own."
)


def waveforms(study: Study, measurements: Measurements) -> Section | None:
    """Return the wave of one file of each class."""
    del measurements
    decoded, failures = _decoded(study, study.one_of_each_class())
    named = {
        label: (audio.mono[: int(SHOWN_S * ANALYSIS_RATE_HZ)], ANALYSIS_RATE_HZ) for label, audio in decoded.items()
    }
    if not named:
        return None
    chart = Chart(
        svg=waves(named, name="Waves of one file of each class"),
        caption=f"The first file of each class, mixed to mono: amplitude over {SHOWN_S:.0f} s at most",
        is_wide=True,
    )
    return Section(anchor="waveforms", title="How the classes look", words=failures, blocks=(chart,))


def spectra(study: Study, measurements: Measurements) -> Section | None:
    """Return one file as wave, magnitude spectrum, STFT, mel spectrogram and MFCC."""
    del measurements
    label, path = next(iter(study.one_of_each_class().items()))
    decoded, failures = _decoded(study, {label: path})
    if not decoded:
        return Section(anchor="spectra", title="One file, five ways", words=failures)
    mono = np.ascontiguousarray(decoded[label].mono[: int(SHOWN_S * ANALYSIS_RATE_HZ)])
    mel = _decibels(mel_of_frames(mono))
    coefficients = 16 if study.spec.features == "mfcc_segments" else COEFFICIENTS
    blocks = (
        Chart(svg=wave(mono, ANALYSIS_RATE_HZ, name=f"Wave of one file of {label}"), caption="Wave"),
        Chart(
            svg=magnitude_spectrum(mono, ANALYSIS_RATE_HZ, name=f"Magnitude spectrum of one file of {label}"),
            caption=f"Magnitude spectrum up to half the rate, {ANALYSIS_RATE_HZ / 2:,.0f} Hz",
        ),
        Chart(
            svg=spectrogram(
                _decibels(power_of_frames(mono)),
                name=f"STFT spectrogram of one file of {label}",
                title="STFT",
                ylabel="",
                ticks=_stft_ticks(),
            ),
            caption=f"Short-time Fourier transform, {N_FFT:,} samples every {HOP}",
        ),
        Chart(
            svg=spectrogram(
                mel, name=f"Mel spectrogram of one file of {label}", title="Mel", ylabel="", ticks=mel_ticks(MEL_BANDS)
            ),
            caption=f"Mel spectrogram, {MEL_BANDS} bands, dB",
        ),
        Chart(
            svg=spectrogram(
                _mfcc(mel, coefficients),
                name=f"MFCC of one file of {label}",
                title="MFCC",
                ylabel="coefficient",
                unit="",
            ),
            caption=f"{coefficients} mel-frequency cepstral coefficients over time",
        ),
    )
    words = (f"{_short(path)}, of the class {printable(label)}, at {ANALYSIS_RATE_HZ:,} Hz, mono.",)
    return Section(anchor="spectra", title="One file, five ways", words=words, blocks=blocks)


def ranges(study: Study, measurements: Measurements) -> Section | None:
    """Return rate, channels and sample range of one file of each class as it is, and as it is analysed."""
    del measurements
    decoded, failures = _decoded(study, study.one_of_each_class())
    if not decoded:
        return None
    rows = tuple(
        (
            printable(label),
            count(audio.sample_rate_hz),
            count(audio.channels),
            f"{audio.samples.min():.3f} to {audio.samples.max():.3f}",
            f"{32_768 * float(audio.samples.min()):,.0f} to {32_768 * float(audio.samples.max()):,.0f}",
            f"{audio.mono.min():.3f} to {audio.mono.max():.3f}",
        )
        for label, audio in decoded.items()
    )
    table = Table(
        caption=f"The first file of each class, as it is and resampled to {ANALYSIS_RATE_HZ:,} Hz mono",
        columns=(
            Column(title="Class"),
            Column(title="Rate, Hz", is_number=True),
            Column(title="Channels", is_number=True),
            Column(title="Samples", is_number=True),
            Column(title="In 16 bits", is_number=True),
            Column(title="Resampled, mono", is_number=True),
        ),
        rows=rows,
    )
    words = (
        _ABOUT_RANGES,
        *failures,
    )
    return Section(anchor="ranges", title="Rates and ranges", words=words, blocks=(table,))


def recordings(study: Study, measurements: Measurements) -> Section | None:
    """Return the recordings without a label: first 10 ms, whole wave, mel spectrogram, and a way to listen."""
    del measurements
    paths = dict.fromkeys(study.unlabelled[:_MOST_RECORDINGS]) or dict.fromkeys([study.manifest.tracks[0].path])
    decoded, failures = _decoded(study, {path: path for path in paths})
    blocks: list[Block] = []
    for path, audio in decoded.items():
        name = _short(path)
        samples, rate_hz = audio.samples[:, 0], audio.sample_rate_hz
        blocks += [
            Chart(
                svg=wave(samples[: round(FIRST_S * rate_hz)], rate_hz, name=f"First 10 ms of {name}", unit="ms"),
                caption=f"{name}: the first {1000 * FIRST_S:.0f} ms",
            ),
            Chart(
                svg=wave(samples, rate_hz, name=f"Wave of {name}"),
                caption=f"{name}: the whole wave, {count(len(samples))} samples at {rate_hz:,} Hz",
            ),
            Chart(
                svg=spectrogram(
                    _decibels(mel_of_frames(audio.mono)),
                    name=f"Mel spectrogram of {name}",
                    title="",
                    ylabel="",
                    ticks=mel_ticks(MEL_BANDS),
                    wide=True,
                ),
                caption=f"{name}: mel power spectrogram, {MEL_BANDS} bands, dB",
                is_wide=True,
            ),
            Sound(
                data=_flac(samples[: int(LISTENED_S * rate_hz)], rate_hz),
                media_type="audio/flac",
                caption=f"{name}: the first {LISTENED_S:.0f} s, to listen to",
            ),
        ]
    return Section(anchor="recordings", title="The recordings", words=failures, blocks=tuple(blocks))


def _short(path: str) -> str:
    """Return a file's name and the folder it lies in."""
    return printable("/".join(path.split("/")[-2:]))


def _decoded(study: Study, paths: dict[str, str]) -> tuple[dict[str, Audio], tuple[str, ...]]:
    """Return what could be decoded, and words on what could not: files may have been deleted since."""
    decoded, reasons = {}, []
    for label, path in paths.items():
        try:
            decoded[label] = study.decode(path)
        except (PermanentError, TransientError) as error:
            reasons.append(f"No picture: {printable(str(error))}.")
    return decoded, tuple(reasons)


def _decibels(power: Float32) -> Float32:
    """Return a power in dB below its maximum, 80 dB deep."""
    decibels = 10 * np.log10(np.maximum(power, _FLOOR))
    clipped: Float32 = np.maximum(decibels - decibels.max(), -TOP_DB).astype(np.float32)
    return clipped


def _mfcc(mel: Float32, coefficients: int) -> Float32:
    from pipeline.kernels.mel import cosines

    mfcc: Float32 = mel @ cosines(MEL_BANDS, coefficients)
    return mfcc


def _stft_ticks() -> list[tuple[float, str]]:
    return [(hz / (ANALYSIS_RATE_HZ / N_FFT), f"{hz:,} Hz") for hz in range(0, 10_001, 2_000)]


def _flac(samples: Float32, rate_hz: int) -> str:
    """Return mono sound as a FLAC file in base64."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="FLAC", subtype="PCM_16")
    return base64.b64encode(file.getvalue()).decode("ascii")
