"""Which channels a file has, as FFmpeg reads it from masks, tables and codecs' own orders."""

from contextlib import suppress

from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream

from pipeline.audio.channels import MASK_TAG, ChannelNames, in_wave_order, known_names, names_of_mask


def names_of(layout: AudioLayout) -> ChannelNames:
    """Return the names of FFmpeg's layout in its order; none where it knows no more than how many."""
    return known_names([channel.name for channel in layout.channels])


def take_names(stream: AudioStream) -> ChannelNames:
    """Return the names that the container gives a stream's channels, in the order of its samples.

    A table in an order of its own is taken out of the decoder, which is left with the number of channels: PyAV copies
    such a table without owning it, and frees it with each frame. To be called before the first frame.
    """
    context = stream.codec_context
    layout = context.layout
    names = names_of(layout)
    if tuple(names) != in_wave_order(names) or (not names and _has_table(layout)):
        # What the setter overwrites is freed with `layout`, which shares it, and by nobody else.
        context.layout = AudioLayout(f"{layout.nb_channels}C")
    # FFmpeg follows the comment in FLAC's own files, and not in Ogg.
    mask = {key.upper(): value for key, value in stream.metadata.items()}.get(MASK_TAG, "")
    with suppress(ValueError):
        if by_mask := names_of_mask(int(mask, 0), layout.nb_channels):
            context.layout = AudioLayout("+".join(by_mask))
            return by_mask
    return names


def _has_table(layout: AudioLayout) -> bool:
    """Return whether a layout is more than a number of channels: FFmpeg then names at least one of them."""
    return any(channel.name != "NONE" for channel in layout.channels)
