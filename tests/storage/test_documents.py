"""Documents are there whole or not at all, and written once."""

import os
import time

import pytest

from pipeline.errors import StoreError, UsageError
from pipeline.library.tracks import FileStamp, ScannedTrack
from pipeline.wire import Value
from storage import Documents


class Note(Value, frozen=True, kw_only=True):
    text: str
    number: float = 0.0


@pytest.fixture
def documents(tmp_path):
    return Documents(tmp_path / "documents")


def test_the_first_to_publish_a_name_wins(documents):
    assert documents.publish("run-1/plan", Note(text="first")) is True
    assert documents.publish("run-1/plan", Note(text="second")) is False
    assert documents.read("run-1/plan", Note) == Note(text="first")


def test_a_document_can_be_replaced_when_that_is_said(documents):
    documents.replace("state", Note(text="first"))
    documents.replace("state", Note(text="second"))
    assert documents.read("state", Note) == Note(text="second")


def test_paths_that_are_no_utf8_survive(documents):
    track = ScannedTrack(
        track_id="0" * 32,
        path="/m/\udcff\n\U0001f3b5.wav",
        stamp=FileStamp(size_bytes=1, mtime_ns=-(2**62)),
        label="\udcfe",
    )
    documents.publish("track", track)
    assert documents.read("track", ScannedTrack) == track


def test_names_lists_one_folder(documents):
    for name in ("run/shards/00010", "run/shards/00002", "run/plan", "run.2/shards/00001"):
        documents.publish(name, Note(text=name))
    assert documents.names("run/shards") == ["run/shards/00002", "run/shards/00010"]
    assert documents.names("run.2/shards") == ["run.2/shards/00001"]
    assert documents.names("nothing") == []


def test_what_is_missing_is_none_or_a_named_error(documents):
    assert documents.find("run/plan", Note) is None
    with pytest.raises(StoreError, match=r"run/plan\.json: there is no such document"):
        documents.read("run/plan", Note)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b"[1]", b'{"text": 3}', b'{"text": "a", "extra": 1}', b"[" * 100_000]
)
def test_an_unreadable_document_is_named(documents, text):
    documents.publish("note", Note(text="a"))
    documents.path("note").write_bytes(text)
    with pytest.raises(StoreError, match=r"note\.json: is not a readable Note"):
        documents.read("note", Note)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../b", "a//b", ".tmp/x", "a\n", "ü"])
def test_names_that_lead_elsewhere_are_refused(documents, name):
    with pytest.raises(UsageError, match="names are letters"):
        documents.publish(name, Note(text="a"))


def test_no_temporary_file_stays_behind(documents):
    for _ in range(2):
        documents.publish("note", Note(text="a"))
        documents.replace("other", Note(text="b"))
    assert sorted(path.name for path in documents.root.rglob("*") if path.is_file()) == ["note.json", "other.json"]


def test_what_killed_writers_left_is_collected_after_the_grace(documents):
    documents.publish("note", Note(text="a"))
    old, young = documents.root / ".tmp" / "old", documents.root / ".tmp" / "young"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    assert documents.gc(grace_s=3600) == 1
    assert young.exists()
    assert documents.read("note", Note).text == "a"


def test_a_folder_in_the_way_is_named(documents):
    documents.root.mkdir()
    (documents.root / "run").write_text("in the way")
    with pytest.raises(StoreError, match=r"run/plan\.json: cannot be written \("):
        documents.publish("run/plan", Note(text="a"))
