"""The reference: the tutorials' features as a notebook computes them, with one library call per block or segment.

Plain, not slow on purpose: soxr resamples (librosa's default), the mix is made once for all spectral features,
pyloudnorm's filters are designed once per file, and lists are appended to where the tutorials copied growing arrays.
The numbers are those of the feature families; `test_bench.py` compares them.
"""

import librosa
import numpy as np
import pyloudnorm
import soundfile
from scipy.signal import resample

from pipeline.features.families import loudness, mfcc_segments

RATE_HZ = 22_050


def loudness_rows(samples, rate_hz):
    """Return the twelve loudness features, (rows, 12), of samples (n, channels), float64, block by block."""
    length = int(0.5 * rate_hz)
    split = int(1000 / (rate_hz / length)) + 1
    meter = pyloudnorm.Meter(rate_hz, filter_class=loudness.WEIGHTING)
    rows = []
    for channel in range(samples.shape[1]):
        for start in range(0, len(samples) - length + 1, length):
            block = samples[start : start + length, channel]
            rms2 = np.mean(block**2)
            if rms2 <= 1e-8:  # -80 dBFS
                continue
            peak = np.max(np.abs(resample(block, 4 * length)))
            lufs = meter.integrated_loudness(block)
            lufs2 = 10 ** (lufs / 10)
            energy = np.abs(np.fft.fft(block)) ** 2
            rms = np.sqrt(rms2)
            row = [peak, peak**2, 10 * np.log10(peak**2), rms2, rms, 10 * np.log10(rms2)]
            row += [np.sqrt(lufs2), lufs2, max(lufs, -70)]
            row += [
                peak / rms,
                20 * np.log10(peak / rms),
                np.sum(energy[1:split]) / np.sum(energy[split : length // 2]),
            ]
            rows.append(row)
    return np.array(rows)


def mono(samples, rate_hz):
    """Return the mix at 22,050 Hz, (n,), float32."""
    mix = np.mean(samples, axis=1, dtype=np.float32)
    return librosa.resample(mix, orig_sr=rate_hz, target_sr=RATE_HZ)


def mfcc_segment_rows(signal):
    """Return the MFCC image of each 3 s, (rows, 130, 16)."""
    size = mfcc_segments.SEGMENT
    starts = range(0, len(signal) - size + 1, size)
    return np.array([librosa.feature.mfcc(y=signal[i : i + size], sr=RATE_HZ, n_mfcc=16).T for i in starts])


def mfcc_mean_row(signal):
    """Return the mean of 40 MFCCs, (40,)."""
    return librosa.feature.mfcc(y=signal, sr=RATE_HZ, n_mfcc=40).mean(axis=1)


def logmel_rows(signal):
    """Return the log-mel spectrogram, (frames, 128)."""
    return librosa.power_to_db(librosa.feature.melspectrogram(y=signal, sr=RATE_HZ), top_db=None).T


def everything(path):
    """Return all four of a file: loudness, MFCC segments, MFCC means, log-mel."""
    samples, rate_hz = soundfile.read(path, always_2d=True)
    signal = mono(samples, rate_hz)
    return loudness_rows(samples, rate_hz), mfcc_segment_rows(signal), mfcc_mean_row(signal), logmel_rows(signal)
