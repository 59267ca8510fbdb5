"""Pictures of sound: waves, spectra, spectrograms."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.arrays import Float32, Float64
from pipeline.audio.framing import HOP
from pipeline.report.outputs.svg import HEAT, MUTED, SERIES, WIDE_IN, panels, short_name, svg_element

_MOST_STEPS = 900
"""A wave is drawn as so many stretches from its lowest to its highest sample."""
_ACROSS = 5


def waves(named: Mapping[str, tuple[Float32, int]], *, name: str, across: int = _ACROSS) -> str:
    """Return a wave for each name, of (samples (n,), rate in Hz)."""
    columns = min(across, len(named))
    with panels(-(-len(named) // columns), columns, panel_in=(WIDE_IN / columns, 1.5)) as (figure, axes_list):
        for axes, (label, (samples, rate_hz)) in zip(axes_list, named.items(), strict=False):
            _wave(axes, samples, rate_hz, steps=_MOST_STEPS // columns)
            axes.set_title(short_name(label))
            axes.tick_params(labelsize=7)
        for axes in axes_list[: len(named)][-columns:]:
            axes.set_xlabel("s")
        for axes in axes_list[len(named) :]:
            axes.set_axis_off()
        return svg_element(figure, name)


def wave(samples: Float32, rate_hz: int, *, name: str, unit: str = "s") -> str:
    """Return one wave, over seconds or milliseconds (`ms`), where each sample shows."""
    with panels(1, 1, panel_in=(WIDE_IN / 2, 2.1)) as (figure, (axes,)):
        if unit == "ms":
            axes.plot(1000 * np.arange(len(samples)) / rate_hz, samples, color=SERIES[0], linewidth=1.2)
        else:
            _wave(axes, samples, rate_hz, steps=_MOST_STEPS // 2)
        axes.set(xlabel=unit, ylabel="full scale")
        axes.grid(axis="y")
        return svg_element(figure, name)


def magnitude_spectrum(samples: Float32, rate_hz: int, *, name: str) -> str:
    """Return the magnitude of the Fourier transform of a whole signal, up to half the rate."""
    magnitude = np.abs(np.fft.rfft(samples.astype(np.float64)))
    frequency_hz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    step = max(len(magnitude) // _MOST_STEPS, 1)
    length = len(magnitude) // step * step
    highest = magnitude[:length].reshape(-1, step).max(axis=1)
    with panels(1, 1, panel_in=(WIDE_IN / 2, 2.3)) as (figure, (axes,)):
        axes.fill_between(frequency_hz[:length:step], highest, color=SERIES[0], linewidth=0.5)
        axes.set(xlabel="Hz", ylabel="magnitude", xlim=(0, rate_hz / 2), title="Magnitude spectrum")
        return svg_element(figure, name)


def spectrogram(
    decibels: Float32,
    *,
    name: str,
    title: str,
    ylabel: str,
    hop_s: float = HOP / 22_050,
    ticks: Sequence[tuple[float, str]] = (),
    wide: bool = False,
    unit: str = "dB",
) -> str:
    """Return a picture of rows over time (frames, bins) with axes and a colour bar; `ticks` name bins."""
    with panels(1, 1, panel_in=(WIDE_IN if wide else WIDE_IN / 2, 2.6)) as (figure, (axes,)):
        image = axes.imshow(
            decibels.T,
            origin="lower",
            aspect="auto",
            cmap=HEAT,
            interpolation="nearest",
            extent=(0, len(decibels) * hop_s, 0, decibels.shape[1]),
        )
        axes.set(xlabel="s", ylabel=ylabel, title=title)
        if ticks:
            axes.set_yticks([position for position, _ in ticks], [text for _, text in ticks])
        bar = figure.colorbar(image, ax=axes, pad=0.02)
        bar.set_label(unit)
        bar.ax.tick_params(labelsize=7.5, labelcolor=MUTED)
        bar.outline.set_visible(False)
        return svg_element(figure, name)


def labelled_pictures(pictures: Sequence[tuple[Float32, str, bool]], *, name: str, hop_s: float = HOP / 22_050) -> str:
    """Return small spectrograms (frames, bins), each with words above: in another colour where they are wrong."""
    columns = min(_ACROSS, len(pictures))
    lowest = min(float(picture.min()) for picture, _, _ in pictures)
    highest = max(float(picture.max()) for picture, _, _ in pictures)
    with panels(-(-len(pictures) // columns), columns, panel_in=(WIDE_IN / columns, 1.7)) as (figure, axes_list):
        for axes, (picture, words, is_right) in zip(axes_list, pictures, strict=False):
            axes.imshow(
                picture.T,
                origin="lower",
                aspect="auto",
                cmap=HEAT,
                interpolation="nearest",
                extent=(0, len(picture) * hop_s, 0, picture.shape[1]),
                vmin=lowest,
                vmax=highest,
            )
            axes.set_title(words, fontsize=8, **({} if is_right else {"color": SERIES[5]}))
            axes.tick_params(labelsize=6.5)
        for axes in axes_list[len(pictures) :]:
            axes.set_axis_off()
        return svg_element(figure, name)


def mel_ticks(bands: int) -> list[tuple[float, str]]:
    """Return the bands nearest to some frequencies, to name them on an axis."""
    from pipeline.kernels import mel

    weights = mel.filters(bands)
    centres = weights.argmax(axis=1) * (22_050 / 2 / (weights.shape[1] - 1))
    return [(float(np.abs(centres - hz).argmin()) + 0.5, f"{hz:,} Hz") for hz in (250, 500, 1_000, 2_000, 4_000, 8_000)]


def _wave(axes: Any, samples: Float32 | Float64, rate_hz: int, *, steps: int) -> None:
    """Draw a wave as a band from the lowest to the highest sample of each step."""
    step = max(len(samples) // steps, 1)
    length = len(samples) // step * step
    parts = samples[:length].reshape(-1, step)
    seconds = np.arange(len(parts)) * step / rate_hz
    axes.fill_between(seconds, parts.min(axis=1), parts.max(axis=1), color=SERIES[0], linewidth=0.6)
    axes.set_xlim(0, len(samples) / rate_hz)
