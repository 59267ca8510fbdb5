"""Whether a file whose name says nothing is sound: its first bytes tell."""

import os
import re

HEAD_BYTES = 4096
"""What is read of a file: room for two frames of MPEG audio and for ten packets of a transport stream."""

_BEGINNING = re.compile(
    rb"RIFF....(?:WAVE|AVI |XWMA)|RF64....WAVE|riff\x2e\x91|FORM....(?:AIF[FC]|8SVX|16SV)|fLaC|OggS|caff\0\x01|"
    rb"....ftyp(?!heic|heix|mif1|msf1|avif|avis|crx )|....(?:moov|wide)|\.snd|dns\.|NIST_1A|Creative Voice File\x1a|"
    # Matroska, ASF and FLV begin with an id, a GUID, a version.
    rb"\x1a\x45\xdf\xa3|\x30\x26\xb2\x75\x8e\x66\xcf\x11|FLV\x01|"
    # Some names could begin a text: what follows them cannot.
    rb"MAC .[\x0b-\x0f]|wvpk|TTA[12]|MPCK|MP\+[\x07\x17]|DSD \x1c\0|FRM8|tBaK|ajkg|qoaf|#!AMR|\.RMF|"
    rb"\.ra\xfd|ID3[\x02-\x04]\0|EA3\x01|ea3\x03|"
    rb"ALawSoundFile|PVF1\n|Extended Instrument: | paf|fap |2BIT|"
    # AC-3 (rate, length, versions 6, 8 to 10) and E-AC-3 (16): their word to synchronise on is but two bytes.
    rb"\x0b\x77..[\x00-\x25\x40-\x65\x80-\xa5][\x30-\x37\x40-\x57]|\x0b\x77...[\x80-\x87]|"
    # DTS, TrueHD and MPEG-PS begin with a word to synchronise on.
    rb"\x7f\xfe\x80\x01|\xfe\x7f\x01\x80|\x1f\xff\xe8\x00|\xff\x1f\x00\xe8|DTSHDHDR|"
    rb"....\xf8\x72\x6f[\xba\xbb]|\x00\x00\x01\xba",
    re.DOTALL,
)

_KBIT = {
    # By version 1 or not, and layer.
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = (44_100, 48_000, 32_000)
_PACKETS = ((188, 0), (192, 4))
"""Length of a packet of a transport stream, and where in it the first byte stands, in broadcasts and on discs."""


def is_sound(head: bytes) -> bool:
    """Tell whether a file with these first bytes, up to `HEAD_BYTES`, is sound, or pictures with sound."""
    if _BEGINNING.match(head):
        return True
    frame = _mpeg_frame_bytes(head) or _adts_frame_bytes(head)
    if frame and len(head) >= frame + 4:
        return bool(_mpeg_frame_bytes(head[frame:]) or _adts_frame_bytes(head[frame:]))
    return any(
        len(head) >= 3 * length and all(head[at] == 0x47 for at in range(first, 3 * length, length))
        for length, first in _PACKETS
    )


def has_sound(path: str) -> bool:
    """Tell whether a regular file is sound by its first bytes. Raises `OSError` when it cannot be read."""
    # Without waiting: what was a file a moment ago may be a pipe now.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return is_sound(os.pread(descriptor, HEAD_BYTES, 0))
    finally:
        os.close(descriptor)


def _mpeg_frame_bytes(head: bytes) -> int:
    """Return the length of the frame of MPEG audio, layers 1 to 3, that begins here; 0 when none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer, rate = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3), head[2] >> 2 & 3
    kbit = head[2] >> 4
    if version == 1 or layer == 4 or rate == 3 or kbit in {0, 15}:
        return 0
    rate_hz = _RATES_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits = 1000 * _KBIT[version == 3, layer][kbit]
    padding = head[2] >> 1 & 1
    if layer == 1:
        return (12 * bits // rate_hz + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * bits // rate_hz + padding


def _adts_frame_bytes(head: bytes) -> int:
    """Return the length of the frame of AAC in ADTS that begins here; 0 when none does."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length >= 7 else 0
