"""What a file is, and what its sound is: two digests, of which the second does not change with tags and pictures."""

from pipeline.audio.identity.digests import FileDigests, file_digests, sound_digest

__all__ = ["FileDigests", "file_digests", "sound_digest"]
