"""Tables of labels: what they say wrongly, and what they and the files do not have in common."""

import numpy as np
import pytest
import soundfile

from workers.cli.runs.summary_text import summary_lines


@pytest.fixture
def library(tmp_path):
    """Twelve short sounds in a folder, with a table in Windows-1252 that lacks two and has two that are not there."""
    noise = np.random.default_rng(1).normal(0, 0.1, 8_000)
    (tmp_path / "audio").mkdir()
    rows = ["path,label"]
    for label in ("Chanson fran\xe7aise", "Jazz", "Pop"):
        for n in range(4):
            soundfile.write(tmp_path / f"audio/{label[:3]}{n}.wav", np.roll(noise, 100 * len(label) + n), 8_000)
            if n or label == "Jazz":
                rows.append(f"audio/{label[:3]}{n}.wav,{label}")
    rows += ["audio/gone1.wav,Jazz", "audio/gone2.wav,Pop"]
    (tmp_path / "partial.csv").write_bytes("\r\n".join(rows).encode("cp1252"))
    return tmp_path


def test_a_table_in_windows_1252_with_rows_and_files_that_miss_each_other(chordal, library):
    labels = f"csv:{library}/partial.csv"

    seen = chordal("scan", library / "audio", "--labels", labels, "--json").json

    assert seen["tracks"] == {"scanned": 12, "unlabelled": 2}
    assert seen["labels"] == {"Chanson fran\xe7aise": 3, "Jazz": 4, "Pop": 3}
    (table,) = seen["tables"]
    assert (table["rows"], table["rows_without_file"], table["files_without_row"]) == (12, 2, 2)
    assert seen["notes"] == [
        "partial.csv: line 2 is not UTF-8 (byte E7); read as Windows-1252 (and 2 more)",
        "2 rows of partial.csv match no file, e.g. audio/gone1.wav",
        f"2 files have no row in partial.csv, e.g. {library}/audio/Cha0.wav",
    ]

    done = chordal("extract", library / "audio", "--labels", labels, "--recipe", chordal.recipe, "--workers", "1")

    assert done.status == 0, done.err
    assert "12 scanned, 2 unlabelled" in done.out
    for note in seen["notes"]:
        assert note in done.err
        assert note in done.out


def test_the_summary_of_a_run_says_what_becomes_of_files_without_a_label():
    words = dict(
        summary_lines(
            {
                "run_id": "r",
                "tracks": {"scanned": 454, "unlabelled": 300, "extracted": 454, "unchanged": 0, "failed": 0},
                "deleted": 0,
                "seconds": {},
                "trials": {"completed": 1},
                "search": {"strategy": "random", "best": []},
                "model": {"version": "v0001", "family": "svm"},
                "scores": {
                    "of": "tracks",
                    "test": {
                        "accuracy": 1.0,
                        "accuracy_interval": None,
                        "macro_f1": 1.0,
                        "n": 4,
                        "classes_scored": 2,
                        "per_class": {"a": {}, "b": {}},
                    },
                },
                "split": {
                    "strategy": "grouped",
                    "sizes": {"all": {"train": 1, "validation": 1, "test": 1}},
                    "groups": 3,
                },
                "answers": None,
                "leakage": None,
            }
        )
    )
    assert words["tracks"].startswith("454 scanned, 300 unlabelled (extracted, not learned from), 454 extracted")
