"""A file as one of several copies: what the store knows of it, and what its header says."""

from dataclasses import dataclass
from typing import Literal, get_args

Relation = Literal["file", "sound", "music"]
"""What two copies have in common: every byte; the sound, with other tags; the music, in another encoding."""
RELATIONS: tuple[Relation, ...] = get_args(Relation)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFacts:
    """What decides which of several copies is the better one."""

    format: str
    """As the file is called: `flac`, `mp3`."""
    lossless: bool
    bit_rate_kbps: float
    """Of the sound, without pictures and padding where the header tells."""
    tags: int = 0
    """How many fields of its tags have a value."""
    in_album_file: bool = False
    """Whether it is a track that a cue sheet cuts out of a file, which must not go for its sake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One extracted file."""

    path: str
    file_key: str
    """Equal for files of the same bytes."""
    sound_key: str
    """Equal for files of the same sound, whatever their tags."""
    content_hash: str
    """Under which its features are stored."""
    size_bytes: int
    duration_s: float
    sample_rate_hz: int
    channels: int
    note: str = ""
    """What the decoder reported; empty for a whole file."""
