"""Which content a file has, by its digests and what the store knows."""

import pytest

from pipeline.audio.identity import FileDigests
from pipeline.library.known_content import content_of, identified, same_content
from pipeline.library.tracks import Failure, FileStamp, TrackRecord

SOUND, OTHER, FILE, EDITED = (letter * 32 for letter in "abcd")
BEFORE = TrackRecord(
    track_id="1" * 32, path="/a", stamp=FileStamp(size_bytes=1, mtime_ns=1), sequence=1, content_hash=FILE
)
"""The record of an older chordal: its content has the name of the file's bytes."""
NOW = BEFORE.replace(content_hash=SOUND, file_hash=FILE, sound_hash=SOUND)
FILLED = NOW.replace(content_hash=FILE)
"""A record of before whose digests were filled in."""


def name(digests: FileDigests, known: TrackRecord | None, *, stored=(), aliases=()) -> str:
    return content_of(digests, known, is_stored=lambda content: content in stored, content_of_sound=dict(aliases).get)


@pytest.mark.parametrize(
    ("known", "sound", "file", "expected"),
    [
        (NOW, SOUND, EDITED, SOUND),
        (FILLED, SOUND, EDITED, FILE),
        (BEFORE, SOUND, FILE, FILE),
        (BEFORE, SOUND, EDITED, SOUND),
        (NOW, OTHER, EDITED, OTHER),
        # another FFmpeg cuts the packets in another way
        (NOW, OTHER, FILE, SOUND),
        (BEFORE, "", FILE, FILE),
        (BEFORE, "", EDITED, EDITED),
        (None, SOUND, FILE, SOUND),
    ],
)
def test_a_file_keeps_the_content_of_its_record_while_its_sound_is_the_same(known, sound, file, expected):
    digests = FileDigests(file_hash=file, sound_hash=sound)
    assert name(digests, known) == expected
    assert known is None or same_content(known, digests) == (expected == known.content_hash)


def test_a_sound_that_is_stored_under_any_name_is_found():
    digests = FileDigests(file_hash=EDITED, sound_hash=SOUND)
    assert name(digests, None, stored=[SOUND, EDITED]) == SOUND
    assert name(digests, None, stored=[EDITED]) == EDITED
    assert name(digests, None, aliases={SOUND: FILE}) == FILE
    assert name(digests, NOW.replace(sound_hash=OTHER, content_hash=OTHER), aliases={SOUND: FILE}) == FILE


def test_only_other_bytes_around_the_same_sound_are_an_edit():
    edited, same = (FileDigests(file_hash=file, sound_hash=SOUND) for file in (EDITED, FILE))
    failed = NOW.replace(failure=Failure(kind="unreadable", reason="no sound"))
    assert identified(NOW, edited, NOW).retagged
    assert identified(FILLED, edited, FILLED).retagged
    assert not identified(NOW, same, NOW.replace(retagged=True)).retagged
    assert not identified(BEFORE, same, BEFORE).retagged
    assert not identified(NOW, edited, None).retagged
    assert not identified(NOW, edited, NOW.replace(content_hash=OTHER)).retagged
    assert not identified(failed, edited, failed).retagged
    assert identified(BEFORE, edited, None) == BEFORE.replace(file_hash=EDITED, sound_hash=SOUND)
