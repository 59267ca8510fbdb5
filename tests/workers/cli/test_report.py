"""`chordal report` where something of a run cannot be read."""

import json
import shutil
from pathlib import Path

import old_homes
import pytest

from workers.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """The folder of the newest run of a home in which much was done."""
    old_homes.unpack(tmp_path)
    monkeypatch.setenv("CHORDAL_HOME", str(tmp_path / "finished"))
    return max(path for path in (tmp_path / "finished" / "runs").iterdir() if (path / "report.json").exists())


def test_what_cannot_be_read_is_left_out_and_named(run, capsys):
    (run / "split.json").write_text("{", "ascii")
    main(["report"])
    out, err = capsys.readouterr()
    page = Path(out.strip()).read_text("utf-8")
    assert err.startswith(("outputs cannot be read: ", "split cannot be read: "))
    assert "What is missing" in page
    assert "got the right label" in page


def test_a_report_that_is_whole_is_not_replaced_by_a_lesser_one(run, tmp_path, capsys):
    # given a report that the run wrote, and a store and a document that are damaged since
    (run / "report.html").write_text("the whole report", "utf-8")
    (run / "study.json").write_text("{", "ascii")
    shutil.rmtree(run.parent.parent / "store" / "manifest")
    # when it is to be written again
    main(["report", "--json"])
    out, err = capsys.readouterr()
    # then it stays, and another one has what can be read
    assert (run / "report.html").read_text("utf-8") == "the whole report"
    answer = json.loads(out)
    assert (answer["written"], answer["report"]) == (False, str(run / "report.html"))
    assert {"files", "search"} <= answer["errors"].keys()
    assert "this is the report as it was; --out FILE writes another one" in err
    main(["report", "--out", str(tmp_path / "other.html")])
    page = (tmp_path / "other.html").read_text("utf-8")
    assert "What is missing" in page
    assert "every file that was scanned has features" not in page


def test_a_report_that_cannot_be_written_says_why_and_what_helps(run, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", "--out", str(tmp_path)])
    assert ended.value.code == 2
    assert f"report {tmp_path}: cannot be written (Is a directory" in capsys.readouterr().err
