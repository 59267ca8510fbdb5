"""The whole pipeline through the command line, with real workers, over a library with broken files in it."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import soundfile
from conditions import eventually
from odd_files import GOOD, write_odd_files
from sounds import RATE_HZ, sound, write_classes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_library_with_broken_files_ends_in_a_model_and_a_report(chordal, tmp_path):
    # given three easy classes, one of them full of odd files
    library = tmp_path / "my music"
    good = write_classes(library)
    odd = write_odd_files(library / "noisy")

    # when
    result = chordal("run", library, "--recipe", chordal.recipe, "--json")

    # then the summary adds up
    assert result.status == 0, result.err + chordal.logs()
    summary = result.json
    tracks = summary["tracks"]
    assert tracks["scanned"] == good + len(odd)
    assert tracks["extracted"] + tracks["failed"] == tracks["scanned"]
    assert tracks["unchanged"] == 0
    assert summary["trials"] == {"requested": 2, "completed": 2, "failed": 0}
    assert set(summary["seconds"]) == {"scan", "extract", "trials", "final"}
    sizes = summary["split"]["sizes"]["holdout"]
    assert summary["scores"]["test"]["n"] == sizes["test"]
    assert sum(scores["n"] for scores in summary["scores"]["test"]["per_class"].values()) == sizes["test"]
    assert summary["scores"]["test"]["accuracy"] > 0.6
    # and a model and a report are there
    assert any(Path(summary["model"]["path"]).iterdir())
    text = Path(summary["report"]).read_text("utf-8")
    assert summary["run_id"] in text
    assert "<script>alert(1)" not in text
    # and each odd file ended as it should
    failures = {
        Path(row["path"]).name: row["kind"]
        for row in chordal("failures", "--json").json["failures"]
        if not row["family"]
    }
    for name, outcome in odd.items():
        if outcome == "either":
            continue
        assert failures.get(name, GOOD) == outcome, name
    # and nothing is left running
    assert chordal.live_processes() == []


def test_a_second_run_extracts_only_what_is_new_or_changed(chordal, tmp_path):
    library = tmp_path / "library"
    total = write_classes(library, per_class=3)
    first = chordal("extract", library, "--recipe", chordal.recipe, "--json")
    assert first.status == 0, first.err + chordal.logs()
    assert first.json["tracks"] == {"scanned": total, "extracted": total, "unchanged": 0, "failed": 0}

    # nothing changed, so no worker is started
    log = chordal.home / "logs" / "extract.log"
    begun = log.stat().st_size
    again = chordal("extract", library, "--recipe", chordal.recipe)
    assert again.status == 0, again.err
    assert "nothing was extracted" in again.out
    assert f"extract: 0 extracted, {total} unchanged" in again.err
    assert log.stat().st_size == begun

    # one changed, one new, one copied, one moved, one touched, one deleted
    soundfile.write(library / "low" / "low 0.wav", sound(99), RATE_HZ)
    soundfile.write(library / "low" / "new.wav", sound(100), RATE_HZ)
    shutil.copyfile(library / "low" / "low 1.flac", library / "low" / "copy.flac")
    shutil.move(library / "high" / "high 0.wav", library / "high" / "renamed.wav")
    os.utime(library / "noisy" / "noisy 0.wav")
    (library / "noisy" / "noisy 1.flac").unlink()
    third = chordal("extract", library, "--recipe", chordal.recipe, "--json")
    assert third.json["tracks"] == {"scanned": total + 1, "extracted": 2, "unchanged": total - 1, "failed": 0}
    assert (first.json["duplicates"], third.json["duplicates"]) == (0, 1)


def test_training_uses_what_is_stored_and_honours_folds_and_groups(chordal, tmp_path):
    library = tmp_path / "library"
    total = write_classes(library, per_class=9, seconds=3.1)
    for label in ("low", "high", "noisy"):
        for path in sorted((library / label).iterdir()):
            number = int(path.stem.split()[1])
            path.rename(path.with_name(f"{number % 3}-{number // 3}-{path.name}"))
    assert chordal("extract", library, "--recipe", chordal.recipe, "--json").status == 0
    result = chordal(
        "train", "--recipe", chordal.recipe, "--folds", r"name:^(\d)-", "--groups", r"name:^(\d-\d)-", "--json"
    )
    assert result.status == 0, result.err + chordal.logs()
    summary = result.json
    assert summary["tracks"]["extracted"] == 0
    assert summary["split"]["strategy"] == "folds"
    assert summary["scores"]["test"]["n"] == total
    models = chordal("models", "--json").json["models"]
    assert [model["version"] for model in models] == [summary["model"]["version"]]
    # the page can be written again
    assert chordal("report", "--json").json["report"] == summary["report"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_no_process_and_goes_on_later(chordal, tmp_path, number):
    library = tmp_path / "library"
    total = write_classes(library, per_class=20, seconds=8.0)
    running = chordal.start("extract", library, "--recipe", chordal.recipe, "--workers", "2")
    eventually(lambda: any((chordal.home / "store" / "inbox").rglob("*.h5")))
    running.send_signal(number)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    assert err.splitlines()[-1].startswith("chordal: stopped;")
    assert chordal.live_processes() == []
    result = chordal("extract", library, "--recipe", chordal.recipe, "--json")
    tracks = result.json["tracks"]
    assert (tracks["scanned"], tracks["failed"]) == (total, 0)
    assert tracks["unchanged"] > 0
    assert tracks["extracted"] + tracks["unchanged"] == total


def test_a_killed_command_takes_everything_down_with_it(chordal, tmp_path):
    library = tmp_path / "library"
    write_classes(library, per_class=20, seconds=8.0)
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    eventually(lambda: any((chordal.home / "store" / "inbox").rglob("*.h5")))
    running.kill()
    running.communicate()
    eventually(lambda: chordal.live_processes() == [])


def test_a_second_run_in_the_same_home_is_told_who_has_it(chordal, tmp_path):
    library = tmp_path / "library"
    write_classes(library, per_class=20, seconds=8.0)
    running = chordal.start("extract", library, "--recipe", chordal.recipe)
    eventually((chordal.home / "store").is_dir)
    result = chordal("extract", library, "--recipe", chordal.recipe)
    assert result.status == 2
    assert f"in use by process {running.pid}" in result.err
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=120)


def test_the_same_seed_gives_the_same_model(chordal, tmp_path):
    library = tmp_path / "library"
    write_classes(library, per_class=6, seconds=3.1)
    first = chordal("run", library, "--recipe", chordal.recipe, "--seed", "5", "--json").json
    second = chordal("train", "--recipe", chordal.recipe, "--seed", "5", "--json").json
    assert first["scores"] == second["scores"]
    assert first["split"] == second["split"]
