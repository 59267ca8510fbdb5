"""Sound files in every form that PyAV's own encoders and libsndfile can write, and by hand where neither can."""

import io
import struct

import av
import numpy as np
import soundfile

FORMS: dict[str, tuple[str, str, str, int]] = {
    "aac.m4a": ("ipod", "aac", "fltp", 44_100),
    "alac.m4a": ("ipod", "alac", "s16p", 44_100),
    "alac24.m4a": ("ipod", "alac", "s32p", 44_100),
    "adts.aac": ("adts", "aac", "fltp", 44_100),
    "aac.mp4": ("mp4", "aac", "fltp", 44_100),
    "aac.mka": ("matroska", "aac", "fltp", 44_100),
    "aac.ts": ("mpegts", "aac", "fltp", 44_100),
    "aac.flv": ("flv", "aac", "fltp", 44_100),
    "pcm.mov": ("mov", "pcm_s16be", "s16", 44_100),
    "opus.webm": ("webm", "libopus", "flt", 48_000),
    "opus.mka": ("matroska", "libopus", "flt", 48_000),
    "opus.opus": ("ogg", "libopus", "flt", 48_000),
    "opus.mp4": ("mp4", "libopus", "flt", 48_000),
    "flac.mka": ("matroska", "flac", "s16", 44_100),
    "flac.mp4": ("mp4", "flac", "s16", 44_100),
    "flac.oga": ("ogg", "flac", "s16", 44_100),
    "first.wma": ("asf", "wmav1", "fltp", 44_100),
    "second.wma": ("asf", "wmav2", "fltp", 44_100),
    "whole.wv": ("wv", "wavpack", "s16p", 44_100),
    "float.wv": ("wv", "wavpack", "fltp", 44_100),
    "whole.tta": ("tta", "tta", "s16", 44_100),
    "deep.tta": ("tta", "tta", "s32", 44_100),
    "dolby.ac3": ("ac3", "ac3", "fltp", 48_000),
    "dolby.eac3": ("eac3", "eac3", "fltp", 48_000),
    "layer2.mp2": ("mp2", "mp2", "s16", 44_100),
    "layer3.avi": ("avi", "libmp3lame", "fltp", 44_100),
    "layer3.mp4": ("mp4", "libmp3lame", "fltp", 44_100),
    "pcm.avi": ("avi", "pcm_s16le", "s16", 44_100),
    "pcm.nut": ("nut", "pcm_s24le", "s32", 44_100),
    "double.wav": ("wav", "pcm_f64le", "dbl", 44_100),
    "adpcm.wav": ("wav", "adpcm_ms", "s16", 44_100),
    "ac3.wav": ("wav", "ac3", "fltp", 44_100),
    "sowt.aifc": ("aiff", "pcm_s16le", "s16", 44_100),
    "float.aifc": ("aiff", "pcm_f32be", "flt", 44_100),
}
"""By file name: FFmpeg's format, codec and sample format, and the rate in Hz."""

SNDFILE_FORMS: dict[str, tuple[str, str]] = {
    "a.wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "ima.wav": ("WAV", "IMA_ADPCM"),
    "a.rf64": ("RF64", "PCM_24"),
    "a.w64": ("W64", "PCM_16"),
    "a.aiff": ("AIFF", "PCM_16"),
    "a.au": ("AU", "PCM_16"),
    "a.caf": ("CAF", "PCM_16"),
    "lossless.caf": ("CAF", "ALAC_16"),
    "a.flac": ("FLAC", "PCM_16"),
    "a.ogg": ("OGG", "VORBIS"),
    "a.opus": ("OGG", "OPUS"),
    "a.mp3": ("MP3", "MPEG_LAYER_III"),
    "a.voc": ("VOC", "PCM_16"),
    "a.sph": ("NIST", "PCM_16"),
}
"""By file name: libsndfile's format and sub-format."""

_DTYPES = {"s16": np.int16, "s32": np.int32, "flt": np.float32, "dbl": np.float64}


def encode(name: str, samples: np.ndarray) -> bytes:
    """Return the bytes of a file with some samples, (frames, channels), -1 to 1, in the form of that name."""
    if name in SNDFILE_FORMS:
        form, subtype = SNDFILE_FORMS[name]
        file = io.BytesIO()
        soundfile.write(file, samples, 48_000 if subtype == "OPUS" else 44_100, format=form, subtype=subtype)
        return file.getvalue()
    if name.endswith(".dsf"):
        return dsf(samples)
    form, codec, kind, rate_hz = FORMS[name]
    return with_libav(samples, form=form, codec=codec, kind=kind, rate_hz=rate_hz)


def with_libav(samples, *, form: str, codec: str, kind: str, rate_hz: int, layout: str = "stereo") -> bytes:
    """Return a file as FFmpeg writes it: its names of the format, the codec and the sample format."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout, format=kind)
        stream.bit_rate = 256_000
        frame = av.AudioFrame.from_ndarray(_shaped(samples, kind), kind, layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        for packets in (stream.encode(frame), stream.encode(None)):
            container.mux(packets)
    return file.getvalue()


def _shaped(samples: np.ndarray, kind: str) -> np.ndarray:
    """Return samples as FFmpeg's frames hold them: a row per channel, or one row of all."""
    dtype = _DTYPES[kind.removesuffix("p")]
    scale = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    scaled = np.round(samples * scale) if scale != 1 else samples
    whole = scaled.astype(dtype)
    return np.ascontiguousarray(whole.T) if kind.endswith("p") else whole.reshape(1, -1)


def dsf(samples: np.ndarray) -> bytes:
    """Return a DSF file: one bit at 64 times 44.1 kHz by first-order noise shaping, of (frames, channels)."""
    blocks = []
    held = np.repeat(samples, 64, axis=0)
    for channel in range(held.shape[1]):
        bits = np.diff(np.floor(np.cumsum((held[:, channel] + 1) / 2)), prepend=0).astype(np.uint8)
        data = np.packbits(bits, bitorder="little").tobytes()
        blocks.append(data + bytes(-len(data) % 4096))
    data = b"".join(part[at : at + 4096] for at in range(0, len(blocks[0]), 4096) for part in blocks)
    count = held.shape[1]
    about = struct.pack("<IIIIIIQII", 1, 0, 2 if count == 2 else 1, count, 2_822_400, 1, len(held), 4096, 0)
    chunks = b"fmt " + struct.pack("<Q", 52) + about + b"data" + struct.pack("<Q", 12 + len(data)) + data
    return b"DSD " + struct.pack("<QQQ", 28, 28 + len(chunks), 0) + chunks


def ape(frames: int, *, declared: int | None = None) -> bytes:
    """Return a Monkey's Audio 3.99 file of stereo silence in one packet, which declares another length if asked."""
    packet = struct.pack("<III", 0x8D1C628C, 7, 0) + bytes(4)  # a CRC, "flags follow", both channels silent
    count = frames if declared is None else declared
    about = struct.pack("<HHIIIHHI", 2_000, 0, max(count, 73_728), count, 1, 16, 2, 44_100)
    start = 52 + len(about) + 4 + 44
    sizes = struct.pack("<IIIIIII", 52, len(about), 4, 44, len(packet), 0, 0)
    return (
        b"MAC "
        + struct.pack("<HH", 3_990, 0)
        + sizes
        + bytes(16)
        + about
        + struct.pack("<I", start)
        + bytes(44)
        + packet
    )
