"""The content hash of a file: what "unchanged" means for the store."""

import hashlib

from pipeline.audio.files import open_for_reading


def content_hash(path: str) -> str:
    """Return the first 128 bits of SHA-256 of a file's bytes as 32 hex digits.

    SHA-256 because processors compute it in hardware: of uncompressed sound, hashing is a tenth of all the work.
    Raises `MissingError`, `UnreadableError` or `TransientError`, as `pipeline.audio.files.open_for_reading` does.
    """
    with open_for_reading(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
