"""The true labels of a request for predictions, against the files it is for."""

import pytest

from pipeline.errors import UsageError
from workers.predict.request import PredictionRequest, RequestedFiles


@pytest.fixture
def library(tmp_path):
    """Three files, and a table of true labels with a row for two of them and for one that is not there."""
    (tmp_path / "audio").mkdir()
    for name in ("a.wav", "b.wav", "c.wav"):
        (tmp_path / "audio" / name).touch()
    (tmp_path / "truth.csv").write_text("path,label\naudio/a.wav,Rock\naudio/b.wav,Pop\naudio/gone.wav,Pop\n")
    return tmp_path


def test_true_labels_without_a_file_and_files_without_one_are_said(library):
    files = RequestedFiles(PredictionRequest(paths=(str(library / "audio"),), labels=f"csv:{library}/truth.csv"))
    assert [track.label for track in files.each()] == ["Rock", "Pop", None]
    assert files.notes == (
        "1 row of truth.csv matches no file, e.g. audio/gone.wav",
        f"1 file has no row in truth.csv, e.g. {library}/audio/c.wav",
    )


def test_labels_of_folders_have_nothing_to_be_joined_with(library):
    assert RequestedFiles(PredictionRequest(paths=(str(library / "audio"),), labels="folder")).notes == ()


def test_a_table_that_labels_none_of_the_files_is_refused(library):
    with pytest.raises(UsageError, match="none of 1 files got a label"):
        RequestedFiles(PredictionRequest(paths=(str(library / "audio/c.wav"),), labels=f"csv:{library}/truth.csv"))
