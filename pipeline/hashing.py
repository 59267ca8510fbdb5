"""The content hash of a file: what "unchanged" means for the store."""

import hashlib

from pipeline.opening import opened

_BLOCK_BYTES = 1 << 20


def content_hash(path: str) -> str:
    """Return BLAKE2b-128 of a file's bytes as 32 hex digits, read in blocks of 1 MiB.

    Raises `MissingError`, `UnreadableError` or `TransientError`, as `pipeline.opening.opened` does.
    """
    digest = hashlib.blake2b(digest_size=16)
    with opened(path) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
