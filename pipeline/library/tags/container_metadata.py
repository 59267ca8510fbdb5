"""What FFmpeg says of the formats whose tags nobody else reads here: Matroska, WebM, AVI, FLV, CAF, AU and others."""

import os
from collections.abc import Iterator, Mapping

import av

from pipeline.audio.decoders.libav_file import FileBytes, refuse
from pipeline.audio.decoders.libav_log import LibavLog
from pipeline.audio.decoders.libav_names import CODECS, FORMATS
from pipeline.library.tags.names import TagBlock

_LIMITS = {
    "format_whitelist": ",".join(FORMATS),
    "codec_whitelist": ",".join(CODECS),
    "probesize": "500000",
    "analyzeduration": "500000",
    "max_streams": "64",
}


def read_container(path: str) -> list[TagBlock]:
    """Return the metadata of a file and that of its first stream of sound. Raises `av.FFmpegError` and others."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _read(FileBytes(descriptor, 0, None))
    finally:
        os.close(descriptor)


def _read(file: FileBytes) -> list[TagBlock]:
    with (
        LibavLog().capture(),
        av.open(file, "r", container_options=_LIMITS, metadata_errors="replace", io_open=refuse) as container,
    ):
        sound = next((stream.metadata for stream in container.streams if stream.type == "audio"), {})
        return [TagBlock.of_words(_plain(metadata)) for metadata in (container.metadata, sound)]


def _plain(metadata: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield names and texts, those of QuickTime's own names by what is at their end."""
    for name, text in metadata.items():
        yield name.removeprefix("com.apple.quicktime."), text
