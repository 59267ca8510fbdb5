"""An evening of editing tags, on the command line: nothing is decoded, nothing is lost, and it is said."""

from pathlib import Path

import encoders
import numpy as np
import pytest
import retagging

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RECIPE = """
name = "loud"
title = "loudness only"
features = ["loudness"]

[[models]]
family = "logistic"
features = "loudness"
"""
SONGS = {"a.mp3": "ID3v2.4", "b.flac": "FLAC", "c.m4a": "M4A", "d.ogg": "Vorbis", "e.wav": "WAV"}
"""The kind of tag of each song."""


@pytest.fixture
def library(tmp_path) -> Path:
    """Songs of some formats, each another sound."""
    folder = tmp_path / "library"
    folder.mkdir()
    for number, (name, kind) in enumerate(SONGS.items()):
        samples = (np.random.default_rng(number).standard_normal((44_100, 2)) * 0.1).astype(np.float32)
        path = folder / name
        path.write_bytes(encoders.encode(retagging.EDITS[kind][0], samples))
        retagging.EDITS[kind][1](path, "Jazz")
    (tmp_path / "loud.toml").write_text(RECIPE, "utf-8")
    return folder


def test_an_evening_of_editing_tags_extracts_nothing_and_says_so(chordal, library):
    extract = ("extract", library, "--recipe", library.parent / "loud.toml", "--workers", "1")
    assert chordal(*extract, "--json").json["tracks"] == _tracks(extracted=5)
    for name, kind in SONGS.items():
        retagging.edit_keeping_time(
            library / name, lambda path, edit=retagging.EDITS[kind][1]: edit(path, "Rock", retagging.picture())
        )
    # an edit that fits the padding and puts the time back: neither size nor time has changed
    retagging.edit_keeping_time(library / "a.mp3", lambda path: retagging.id3v24(path, "Folk"))
    found = chordal(*extract, "--json").json
    assert found["tracks"] == _tracks(unchanged=5)
    assert found["retagged"] == 5
    retagging.edit_keeping_time(library / "a.mp3", lambda path: retagging.id3v24(path, "Jazz"))
    printed = chordal(*extract)
    assert "5 scanned, 0 extracted, 5 unchanged, 0 failed" in printed.out
    assert "retagged  1 file has other tags around the same sound; nothing of it was decoded" in printed.out


def _tracks(**counts: int) -> dict[str, int]:
    return {"scanned": 5, "extracted": 0, "unchanged": 0, "failed": 0} | counts
