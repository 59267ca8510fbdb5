"""The packets of what has no reader of its own here, as FFmpeg demuxes them; nothing is decoded."""

import hashlib

from pipeline.audio.identity.parts import NotParsedError


def packets_digest(descriptor: int) -> bytes:
    """Return a digest of the packets of an open file's sound and of their codec's setup, 32 bytes.

    Raises `NotParsedError` when FFmpeg finds no sound in the file, `OSError` when it cannot be read.
    """
    # Imported here: few files need it.
    import av

    from pipeline.audio.decoders.libav_file import FileBytes, refuse
    from pipeline.audio.decoders.libav_log import LibavLog
    from pipeline.audio.decoders.libav_names import FORMATS

    options = {"format_whitelist": ",".join(FORMATS), "max_streams": "64", "fflags": "-genpts"}
    digest = hashlib.sha256(b"packets\n")
    packets = 0
    file = FileBytes(descriptor, 0, None)
    try:
        with (
            LibavLog().capture(),
            av.open(file, "r", container_options=options, metadata_errors="replace", io_open=refuse) as container,
        ):
            streams = container.streams.audio
            for stream in streams:
                codec = stream.codec_context
                facts = (codec.name, codec.sample_rate, codec.layout.name, codec.extradata)
                digest.update(repr(facts).encode())
            for packet in container.demux(list(streams)) if streams else ():
                packets += bool(packet.size)
                digest.update(b"%d %d\n" % (packet.stream.index, packet.size))
                digest.update(bytes(packet))
    except (av.FFmpegError, ValueError, OverflowError, RuntimeError, IndexError, AttributeError) as error:
        if file.error:
            raise file.error from error
        # As far as it goes, a damaged file has packets too.
        digest.update(b"broken off")
        if not packets:
            raise NotParsedError(str(error)) from error
    if file.error:
        raise file.error
    if not packets:
        raise NotParsedError("no packets of sound")
    return digest.digest()
