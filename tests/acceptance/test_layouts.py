"""A published data set, unpacked as it is: its labels, groups and official split without a word of one's own."""

import numpy as np
import pytest
import soundfile

from pipeline.errors import UsageError
from workers.cli.runs.request import with_layout

SIDES = {"train": range(8), "validation": range(8, 10), "test": range(10, 12)}


@pytest.fixture
def speech_commands(tmp_path):
    """Two words by twelve speakers each, with the official lists and the folder of noise."""
    root, noise = tmp_path / "speech", np.random.default_rng(2)
    lists = {"validation": [], "test": []}
    for word, frequency_hz in (("yes", 400), ("no", 1_500)):
        (root / word).mkdir(parents=True)
        for speaker in range(12):
            name = f"{word}/{speaker:08x}_nohash_0.wav"
            tone = 0.3 * np.sin(2 * np.pi * (frequency_hz + 10 * speaker) * np.arange(16_000) / 16_000)
            soundfile.write(root / name, tone + noise.normal(0, 0.05, 16_000), 16_000)
            for side, listed in lists.items():
                if speaker in SIDES[side]:
                    listed.append(f"{name}\n")
    (root / "_background_noise_").mkdir()
    soundfile.write(root / "_background_noise_/tap.wav", noise.normal(0, 0.1, 16_000), 16_000)
    (root / "validation_list.txt").write_text("".join(lists["validation"]))
    (root / "testing_list.txt").write_text("".join(lists["test"]))
    return root


def test_a_data_set_is_recognised_and_learned_from_by_its_official_split(chordal, speech_commands, tmp_path):
    seen = chordal("scan", speech_commands, "--json").json
    assert seen["notes"] == [
        "looks like Speech Commands: --layout speech-commands reads its words, speakers and official split"
    ]

    recipe = tmp_path / "one.toml"
    recipe.write_text(
        'name = "one"\ntitle = "One model"\nfeatures = ["mfcc_mean"]\n\n[[models]]\nfamily = "logistic"\n'
        'features = "mfcc_mean"\n\n[search]\ntrials = 1\n'
    )
    done = chordal(
        "run", speech_commands, "--layout", "speech-commands", "--recipe", recipe, "--workers", "1", "--json"
    )

    assert done.status == 0, done.err
    assert done.json["labels"] == {"no": 12, "yes": 12}
    assert done.json["split"]["sizes"] == {"test": {"train": 16, "validation": 4, "test": 4}}
    assert any(note.startswith("the official split of Speech Commands") for note in done.json["notes"])
    (report,) = chordal.home.glob("runs/*/report.html")
    page = report.read_text("utf-8")
    assert "fold validation selected between trials, the others trained" in page
    assert "Note: the official split of Speech Commands" in page


def test_a_layout_gives_what_is_not_given_by_itself_also_to_the_schedule(chordal, speech_commands):
    given = {"layout": "speech-commands", "labels": None, "groups": "name:^(.)", "folds": None}
    found = with_layout(given, [str(speech_commands)])
    assert (found["labels"], found["groups"], found["folds"]) == (
        "layout:speech-commands",
        "name:^(.)",
        "layout:speech-commands",
    )
    assert found["exclude"] == ("_background_noise_",)
    assert with_layout(found, [str(speech_commands)])["exclude"] == ("_background_noise_",)
    with pytest.raises(UsageError, match="--layout speech-commands: name the LIBRARY"):
        with_layout(given, [])

    set_ = chordal("schedule", "set", "--library", speech_commands, "--layout", "speech-commands", "--json")

    assert set_.status == 0, set_.err
    assert '"labels": "layout:speech-commands"' in (chordal.home / "schedule.json").read_text("utf-8").replace(
        '":"', '": "'
    )


def test_a_layout_that_is_not_there_is_one_line(chordal, speech_commands):
    result = chordal("scan", speech_commands, "--layout", "fma")
    assert (result.status, len(result.err.strip().splitlines())) == (2, 1)
    assert "layout fma: no fma_metadata/tracks.csv in" in result.err
