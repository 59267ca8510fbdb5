"""Where the sound begins in a file with something else before it."""

import os
import re

# What the wrong copy, download or recovery puts before a file is seldom longer.
_SEARCHED_BYTES = 1_048_576

_ID3_HEADER_BYTES = 10

_BEGINNING = re.compile(
    rb"RIFF....WAVE|RIFF....AVI |FORM....AIF[FC]|fLaC|OggS|caff\0\x01|....ftyp|"
    # Matroska and ASF begin with an id and a GUID.
    rb"\x1a\x45\xdf\xa3|\x30\x26\xb2\x75\x8e\x66\xcf\x11|"
    rb"MAC |wvpk|TTA1|MPCK|DSD |FRM8|tBaK",
    re.DOTALL,
)


def start_of_sound(descriptor: int) -> int:
    """Return at which byte of an open file a format with a beginning of its own begins; 0 when none is found."""
    head = os.pread(descriptor, _SEARCHED_BYTES, 0)
    if match := _BEGINNING.search(head):
        return match.start()
    # An ID3 tag with a wrong length hides the frames behind it; without its header FFmpeg looks for them itself.
    return _ID3_HEADER_BYTES if head.startswith(b"ID3") else 0
