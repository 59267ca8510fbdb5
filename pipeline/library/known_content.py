"""Which content a file has, by its two digests and by what is known: a tag edit leaves it the content that it had."""

from collections.abc import Callable

from pipeline.audio.identity import FileDigests
from pipeline.library.tracks import TrackRecord


def same_content(record: TrackRecord, digests: FileDigests) -> bool:
    """Return whether a file with these digests has the content of a record.

    By the sound, where both have its digest; a record of before names its content by all bytes of the file.
    """
    if not record.content_hash:
        return False
    if digests.sound_hash and digests.sound_hash in {record.sound_hash, record.content_hash}:
        return True
    # Also where another FFmpeg cuts the packets in another way: the same bytes are the same sound.
    return digests.file_hash in {record.file_hash, record.content_hash}


def content_of(
    digests: FileDigests,
    known: TrackRecord | None,
    *,
    is_stored: Callable[[str], bool],
    content_of_sound: Callable[[str], str | None],
) -> str:
    """Return the name of the content of a file, `known` being the newest record of its track.

    That of the record while the sound is the same, else the one under which the store has the sound, be it by an
    older chordal under the digest of all bytes; a new content is named by the digest of its sound.
    """
    if known is not None and same_content(known, digests):
        return known.content_hash
    for content in (digests.sound_hash, digests.file_hash):
        if content and is_stored(content):
            return content
    return content_of_sound(digests.sound_hash) or digests.content_hash


def identified(record: TrackRecord, digests: FileDigests, known: TrackRecord | None) -> TrackRecord:
    """Return a record with a file's digests, and with whether its tags changed since the newest record, `known`."""
    is_retagged = (
        known is not None
        and record.failure is None
        and known.content_hash == record.content_hash
        and digests.file_hash not in {known.file_hash, known.content_hash if not known.file_hash else ""}
    )
    return record.replace(file_hash=digests.file_hash, sound_hash=digests.sound_hash, retagged=is_retagged)
