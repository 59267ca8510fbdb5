import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from pipeline.audio.decode import decode
from pipeline.features.registry import family
from pipeline.features.spec import compute
from tests.bench import notebook, predict, retag, scale, startup, store, tags
from tests.bench.extract import ROWS
from tests.bench.piece import FORMATS, RATE_HZ, piece


@pytest.fixture(scope="module")
def short_piece(tmp_path_factory):
    """The made piece, 4 s of it: the shortest with a whole 3 s segment and a rest."""
    path = tmp_path_factory.mktemp("bench") / "piece.wav"
    soundfile.write(path, piece(4.0), RATE_HZ)
    return str(path)


def test_the_command_prints_every_row_of_the_extract_table():
    command = [sys.executable, "-m", "tests.bench", "extract", "--repeats", "1", "--seconds", "4", "--one-process"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [re.split(r"\s{2,}", line) for line in done.stdout.splitlines()]
    for row in ROWS:
        printed = {line[1] for line in lines if line[0] == row.title}
        formats = set(FORMATS) if row.every_format else {"wav" if row.from_file else "samples of wav"}
        assert printed == formats


def test_the_notebook_loops_yield_the_numbers_of_the_families(short_piece):
    audio = decode(short_piece, max_duration_s=60)
    names = ("loudness", "mfcc_segments", "mfcc_mean", "logmel")
    for name, expected in zip(names, notebook.everything(short_piece), strict=True):
        ours = compute(family(name), audio).values
        np.testing.assert_allclose(ours, expected.reshape(ours.shape), rtol=1e-4, atol=1e-2, err_msg=name)


def test_the_command_prints_every_row_of_the_store_tables():
    command = [sys.executable, "-m", "tests.bench", "store", "--repeats", "1", "--tracks", "50", "--segments", "3"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first_cells = {re.split(r"\s{2,}", line)[0] for line in done.stdout.splitlines()}
    assert first_cells >= {*store.READING, *store.COMPACTING}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_prints_every_row_of_the_startup_table():
    command = [sys.executable, "-m", "tests.bench", "startup", "--repeats", "1"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = {line[0]: line[1:] for line in (re.split(r"\s{2,}", line) for line in done.stdout.splitlines())}
    assert lines.keys() >= {startup.REFERENCE, *startup.COMMANDS, *startup.WORKERS}
    assert lines[startup.REFERENCE][1] == "1 (1..1)"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_prints_the_predict_table_of_answers_that_are_all_there():
    command = [sys.executable, "-m", "tests.bench", "predict", "--repeats", "1", "--tracks", "60"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {re.split(r"\s{2,}", line)[0] for line in done.stdout.splitlines()} >= {predict.PREDICT, scale.LOOKING}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_prints_every_row_of_the_tags_table():
    command = [sys.executable, "-m", "tests.bench", "tags", "--repeats", "1", "--tracks", "60"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = {line[0]: line[1:] for line in (re.split(r"\s{2,}", line) for line in done.stdout.splitlines())}
    assert lines.keys() >= {tags.REFERENCE, tags.STORED, tags.STORED_FIRST, tags.EARLIER, tags.FIRST}
    assert lines[tags.REFERENCE][3] == "1 (1..1)"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_prints_the_scale_tables_and_loses_no_file():
    command = [sys.executable, "-m", "tests.bench", "scale", "--repeats", "1", "--tracks", "60"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = {line[0]: line[1:] for line in (re.split(r"\s{2,}", line) for line in done.stdout.splitlines())}
    assert lines["learning began"] == ["1", "1", "1", "1"]
    assert lines["extracted, says the ledger; in the store"] == ["all", "6; 0", "60; 0", "60; 60"]
    assert lines.keys() >= {scale.AGAIN, scale.LOOKING}


@pytest.mark.slow
def test_retagged_songs_are_extracted_once(tmp_path, capsys):
    retag.measure_songs(tmp_path, SimpleNamespace(songs=2), times=1)
    first_cells = {re.split(r"\s{2,}", line)[0] for line in capsys.readouterr().out.splitlines()}
    assert first_cells >= {retag.EXTRACTED, retag.RETAGGED}
