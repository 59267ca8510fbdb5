"""The tutorials' recipes through the command line, with real workers, on small libraries in a quick form."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import sound, write_classes

from pipeline.plans.library import PointsPlan
from pipeline.plans.recipe import load_recipe
from pipeline.plans.recipe_toml import recipe_toml
from storage import RunLedger

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def written(folder, recipe) -> Path:
    """Write a recipe as a file to be named on the command line."""
    path = folder / f"{recipe.name}.toml"
    path.write_text(recipe_toml(recipe), "utf-8")
    return path


def done(chordal, told):
    """Return the summary of a run that must have ended well."""
    assert told.status == 0, told.err + chordal.logs()
    assert chordal.live_processes() == []
    return told.json


def sections(summary) -> list[str]:
    """Return the anchors of the report's sections, in their order."""
    return re.findall(r'<section id="([^"]+)"', Path(summary["report"]).read_text("utf-8"))


def measured(chordal, summary):
    found = RunLedger(chordal.home).measurements(summary["run_id"])
    assert found is not None
    assert found.trouble == ""
    return found


def test_tones_makes_its_sounds_and_tells_sound_from_silence_and_note_from_note(chordal):
    first = done(chordal, chordal("run", "--recipe", "tones", "--json"))
    notes = first.pop("then")

    assert first["labels"] == {"silence": 20, "sound": 20}
    assert first["scores"]["test"]["accuracy"] == 1.0
    assert first["scores"]["test"]["n"] == 12
    assert sum(notes["labels"].values()) == 20
    assert notes["scores"]["test"]["n"] in {9, 10}  # half of twenty, with the notes in proportion
    assert notes["scores"]["test"]["accuracy"] >= 0.8
    assert (notes["tracks"]["extracted"], notes["model"]["family"]) == (0, "svm_raw")
    assert {"recordings", "sides", "examples", "new-sounds"} <= set(sections(first))
    assert {"sides", "examples", "new-sounds"} <= set(sections(notes))
    assert "<audio controls" in Path(first["report"]).read_text("utf-8")
    for summary in (first, notes):
        new = measured(chordal, summary).new_sounds
        assert sum(found.truth == found.label for found in new) / len(new) >= 0.8
    # again: the sounds are there, and nothing is extracted
    again = done(chordal, chordal("run", "--recipe", "tones", "--json"))
    assert again["tracks"]["extracted"] == 0
    assert again["scores"] == first["scores"]


def test_binary_boundary_makes_its_points_and_draws_what_parts_them(chordal):
    recipe = load_recipe("binary-boundary").replace(library=PointsPlan(samples=2_000))
    summary = done(chordal, chordal("run", "--recipe", written(chordal.folder, recipe), "--json"))

    assert sum(summary["labels"].values()) == 2_000
    assert summary["split"]["sizes"]["holdout"]["test"] == 400
    assert summary["scores"]["test"]["accuracy"] > 0.85
    assert {"sides", "regions", "layouts", "layers", "weights"} <= set(sections(summary))
    told = measured(chordal, summary)
    assert told.sides["training"].rows == 1_600
    assert len(told.rivals) == 1
    assert "nobody knows which are of one song" not in Path(summary["report"]).read_text("utf-8")


def test_rostock_genre_searches_a_network_on_songs_named_by_their_genre(chordal, tmp_path):
    library = tmp_path / "songs"
    library.mkdir()
    kinds = ({"noise": 0.3}, {"pitch_hz": 1_400.0}, {"pitch_hz": 110.0, "noise": 0.001})
    for number in range(9):
        loud = sound(number, seconds=6.0, **kinds[number % 3])
        soundfile.write(library / f"song-{number}_{number % 3}.mp3", np.hstack([loud, 0.7 * loud]), 22_050)
    summary = done(chordal, chordal("run", library, "--recipe", "rostock-genre", "--quick", "--trials", "2", "--json"))

    assert summary["labels"] == {"0": 3, "1": 3, "2": 3}
    assert summary["trials"] == {"requested": 2, "completed": 2, "failed": 0}
    assert {"label-shares", "columns", "sides", "softmax", "retrained", "layers"} <= set(sections(summary))
    told = measured(chordal, summary)
    assert set(told.sides) == set(told.retrained) == {"training", "validation", "test"}
    assert sum(scores.rows for scores in told.sides.values()) == 9 * 2 * 12
    kept = chordal.home / "runs" / summary["run_id"] / "outputs" / "retrained" / "model.keras"
    assert kept.is_file()


def test_rostock_genre_learns_from_arrays_of_another_extractor(chordal, tmp_path):
    random = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 80)
    x = random.normal(size=(240, 12)) + 2.5 * y[:, None]
    np.savez(tmp_path / "small.npz", Xdata=x, Ydata=y[:, None])
    assert chordal("store", "import-npz", tmp_path / "small.npz", "--json").status == 0
    summary = done(chordal, chordal("train", "--recipe", "rostock-genre", "--quick", "--trials", "1", "--json"))

    told = measured(chordal, summary)
    assert {side: scores.rows for side, scores in told.sides.items()} == {"training": 120, "validation": 60, "test": 60}
    assert summary["scores"]["test"]["accuracy"] > 0.8
    assert len(told.softmax) == 60
    assert "nobody knows which are of one song" in Path(summary["report"]).read_text("utf-8")


def test_gtzan_cnn_learns_pictures_of_segments_with_and_without_regularisation(chordal, tmp_path):
    library = tmp_path / "genres"
    write_classes(library, per_class=5, seconds=6.2)
    recipe = load_recipe("gtzan-cnn")
    (model,) = recipe.models
    quick = recipe.replace(models=(model.replace(fixed=model.fixed | {"epochs": 3}),))
    summary = done(chordal, chordal("run", library, "--recipe", written(tmp_path, quick), "--json"))

    assert summary["trials"] == {"requested": 2, "completed": 2, "failed": 0}
    assert {"files", "waveforms", "spectra", "layers", "sides", "curves"} <= set(sections(summary))
    told = measured(chordal, summary)
    assert sum(scores.rows for scores in told.sides.values()) == 15 * 2
    assert "130 x 16" in Path(summary["report"]).read_text("utf-8")


def test_urbansound_mfcc_keeps_the_folds_of_its_table(chordal, tmp_path):
    library = tmp_path / "audio"
    rows = []
    for fold in range(1, 11):
        (library / f"fold{fold}").mkdir(parents=True)
        for label, how in (("drill", {"noise": 0.3}), ("siren", {"pitch_hz": 900.0}), ("hum", {"pitch_hz": 90.0})):
            rate_hz = (8_000, 22_050, 44_100)[fold % 3]
            name = f"{fold}-{label}.wav"
            samples = sound(fold, seconds=1.2, rate_hz=rate_hz, **how)
            channels = np.hstack([samples, samples / 2]) if fold % 2 else samples
            soundfile.write(library / f"fold{fold}" / name, channels, rate_hz)
            rows.append({"slice_file_name": name, "fold": fold, "class": label})
    with (tmp_path / "UrbanSound8K.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["slice_file_name", "fold", "class"])
        table.writeheader()
        table.writerows(rows)
    labels = f"csv:{tmp_path / 'UrbanSound8K.csv'}"
    summary = done(
        chordal, chordal("run", library, "--labels", labels, "--recipe", "urbansound-mfcc", "--quick", "--json")
    )

    assert summary["labels"] == {"drill": 10, "hum": 10, "siren": 10}
    assert [scores["test"] for scores in summary["split"]["sizes"].values()] == [6]
    ledger = RunLedger(chordal.home)
    manifest, split = ledger.manifest(summary["run_id"]), ledger.split(summary["run_id"])
    assert {manifest.tracks[track].fold for track in split.partitions[0].test} == {"9", "10"}
    told = measured(chordal, summary)
    assert told.sides["training"].rows == 24
    assert told.untrained["test"].accuracy <= told.sides["test"].accuracy
    assert {"waveforms", "ranges", "spectra", "untrained", "sides", "layers"} <= set(sections(summary))


def test_a_run_without_a_library_says_which_recipes_make_their_own(chordal):
    told = chordal("run")

    assert told.status == 2
    assert "recipe default makes no library of its own; name a LIBRARY" in told.err
