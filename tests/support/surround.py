"""Surround sound: a file of any layout in any container, and its loudness as FFmpeg's meter reads it when told."""

import io

import av
import numpy as np
import soundfile

RATE_HZ = 48_000
WAVE_ORDER = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TC", "TFL", "TFC", "TFR")
VORBIS_PLACES = {
    3: (0, 2, 1),
    4: (0, 1, 2, 3),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 4, 5, 3),
    7: (0, 2, 1, 5, 6, 4, 3),
    8: (0, 2, 1, 6, 7, 4, 5, 3),
}
"""From which place in WAVE's order each channel of Vorbis and Opus comes."""

LAYOUTS = {
    "stereo": "FL FR", "2.1": "FL FR LFE", "3.0": "FL FR FC", "3.1": "FL FR FC LFE", "quad": "FL FR BL BR",
    "4.0": "FL FR FC BC", "4.1": "FL FR FC LFE BC", "5.0": "FL FR FC BL BR", "5.0(side)": "FL FR FC SL SR",
    "5.1": "FL FR FC LFE BL BR", "5.1(side)": "FL FR FC LFE SL SR", "6.1": "FL FR FC LFE BC SL SR",
    "7.0": "FL FR FC BL BR SL SR", "7.1": "FL FR FC LFE BL BR SL SR",
}  # fmt: skip
"""By FFmpeg's name: the channels, in the order of WAVE."""

_PCM = frozenset(LAYOUTS)
_DOLBY = frozenset({"stereo", "2.1", "3.0", "3.1", "4.0", "4.1", "5.0(side)", "5.1(side)"})
_AAC = frozenset({"stereo", "2.1", "3.0", "quad", "4.0", "5.0", "5.1", "7.1"})
_VORBIS = frozenset({"stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1"})
CONTAINERS: dict[str, tuple[str, str, str, frozenset[str]]] = {
    "a.wav": ("wav", "pcm_s16le", "s16", _PCM),
    "a.rf64": ("wav", "pcm_s16le", "s16", _PCM),
    "a.w64": ("w64", "pcm_s16le", "s16", _PCM),
    "a.flac": ("flac", "flac", "s16", _PCM),
    "a.oga": ("ogg", "flac", "s16", _PCM),
    "a.mka": ("matroska", "flac", "s16", _PCM),
    "a.mov": ("mov", "pcm_s16be", "s16", _PCM),
    "a.wv": ("wv", "wavpack", "s16p", _PCM),
    "a.caf": ("caf", "pcm_s16be", "s16", _PCM - {"7.1"}),
    "a.aiff": ("aiff", "pcm_s16be", "s16", _PCM - {"7.1"}),
    "a.m4a": ("ipod", "aac", "fltp", _AAC),
    "a.aac": ("adts", "aac", "fltp", _AAC),
    "alac.m4a": ("ipod", "alac", "s16p", frozenset({"stereo", "3.0", "4.0", "5.0", "5.1"})),
    "a.ac3": ("ac3", "ac3", "fltp", _DOLBY),
    "a.eac3": ("eac3", "eac3", "fltp", _DOLBY),
    "a.ogg": ("", "VORBIS", "", _VORBIS),
    "a.opus": ("", "OPUS", "", _VORBIS),
}
"""By file name: FFmpeg's format, codec and sample format, and the layouts that it can say; libsndfile's sub-format."""


def tones(names, seconds=3.0):
    """Make a tone in each channel, of another pitch and level in each, (frames, channels); the LFE has the lowest."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitches = [60 if name == "LFE" else 300 + 100 * WAVE_ORDER.index(name) for name in names]
    levels = [0.4 if name == "LFE" else 0.1 + 0.02 * WAVE_ORDER.index(name) for name in names]
    return np.stack([a * np.sin(2 * np.pi * f * time_s) for f, a in zip(pitches, levels, strict=True)], axis=1)


def pitches(samples):
    """Return the strongest pitch of each channel, Hz, from a second of the middle."""
    middle = len(samples) // 2
    second = samples[middle - RATE_HZ // 2 : middle + RATE_HZ // 2] * np.hanning(RATE_HZ)[:, np.newaxis]
    return np.abs(np.fft.rfft(second, axis=0)).argmax(axis=0).tolist()


def write_surround(name, samples, layout):
    """Return the bytes of a file with samples in the order of WAVE, in a form of `CONTAINERS`."""
    form, codec, kind, _ = CONTAINERS[name]
    file = io.BytesIO()
    if not form:
        places = VORBIS_PLACES.get(samples.shape[1], (0, 1))
        quality = {"compression_level": 0.0} if codec == "VORBIS" else {}
        soundfile.write(file, samples[:, places], RATE_HZ, format="OGG", subtype=codec, **quality)
        return file.getvalue()
    mask = sum(1 << WAVE_ORDER.index(channel) for channel in LAYOUTS[layout].split())
    with av.open(file, "w", format=form, options={"rf64": "always"} if name == "a.rf64" else {}) as container:
        stream = container.add_stream(codec, rate=RATE_HZ, layout=layout, format=kind)
        stream.bit_rate = 640_000
        if name == "a.oga":  # FFmpeg leaves it out of Ogg
            stream.metadata["WAVEFORMATEXTENSIBLE_CHANNEL_MASK"] = hex(mask)
        # Not planar: PyAV writes no eight planes. It converts.
        packed = np.round(samples * 32_767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, "s16", layout)
        frame.sample_rate, frame.pts = RATE_HZ, 0
        for packets in (stream.encode(frame), stream.encode(None)):
            container.mux(packets)
    return file.getvalue()


def loudness(samples, names):
    """Return the integrated loudness as FFmpeg's `ebur128` (libebur128's code) reads it, LUFS.

    The meter counts all back channels as surrounds. BS.1770-5 counts those from 60 to 120 degrees, which back ones are
    not where there are side ones (135), nor is a back centre (180): those are told as top channels, which count 1.
    """
    has_sides = "SL" in names
    told = {"BC": "TC", **({"BL": "TFL", "BR": "TFR"} if has_sides else {})}
    names = [told.get(name, name) for name in names]
    order = sorted(range(len(names)), key=lambda at: WAVE_ORDER.index(names[at]))
    layout = "+".join(names[at] for at in order)
    graph = av.filter.Graph()
    source = graph.add("abuffer", sample_rate=str(RATE_HZ), sample_fmt="flt", channel_layout=layout)
    meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    packed = np.ascontiguousarray(samples[:, order], np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, "flt", layout)
    frame.sample_rate, frame.pts = RATE_HZ, 0
    graph.push(frame)
    graph.push(None)
    read = -np.inf
    while True:
        try:
            read = float(graph.pull().metadata.get("lavfi.r128.I", read))  # not of a last part of 100 ms
        except (av.EOFError, av.BlockingIOError):
            return read
