"""Libraries that recipes make for themselves."""

import csv

import numpy as np
import pytest
import soundfile
from sklearn.datasets import make_classification

from pipeline.errors import UsageError
from pipeline.library.labels import first_value, parse_labels
from pipeline.library.library_file import LibraryFile
from pipeline.plans.library import PointsPlan, TonesPlan
from pipeline.synthetic.library import make_library
from pipeline.synthetic.points import points
from pipeline.synthetic.synthesis import NOTE_FREQUENCIES_HZ
from pipeline.synthetic.tones import melody, random_notes, scale

RATE_HZ = 8_000
SMALL = TonesPlan(sample_rate_hz=RATE_HZ, highest_hz=1_500, notes=4, seed=5)


def label_of(source, path):
    return first_value(source, LibraryFile(path))


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def loudest_hz(samples, rate_hz):
    return np.abs(np.fft.rfft(samples)).argmax() * rate_hz / len(samples)


def test_at_the_tutorials_rate_the_recordings_have_its_numbers_of_samples():
    plan = TonesPlan(sample_rate_hz=41_100)

    assert len(melody(plan.replace(notes=1))) == 82_200  # a second of tone, a second of pause
    assert len(melody(plan)) == 1_644_000  # twenty notes
    assert len(scale(plan)) == 10 * 82_200  # 500 to 5,000 Hz in steps of 500


def test_the_default_rate_is_the_one_that_was_meant():
    assert TonesPlan().sample_rate_hz == 44_100
    assert len(melody(TonesPlan())) == 20 * 88_200


def test_a_tone_is_a_sine_of_the_formula_and_a_second_of_silence_follows():
    plan = TonesPlan(sample_rate_hz=41_100, amplitude=0.25, phase_rad=0.5)
    t = np.arange(41_100) / 41_100

    recording = scale(plan)

    np.testing.assert_allclose(recording[:41_100], 0.25 * np.sin(2 * np.pi * 500 * t + 0.5), atol=1e-12)
    assert not recording[41_100:82_200].any()
    assert loudest_hz(recording[82_200 : 82_200 + 41_100], 41_100) == 1_000


def test_the_notes_are_the_white_keys_and_by_the_default_seed_each_is_played_twice_or_more():
    assert tuple(NOTE_FREQUENCIES_HZ.values()) == (261.63, 293.66, 329.63, 349.23, 392.00, 440.00, 493.88)
    counts = np.unique(random_notes(TonesPlan()), return_counts=True)[1]

    assert len(counts) == 7
    assert counts.sum() == 20
    assert counts.min() >= 2


def test_the_seconds_are_files_of_sixteen_bits_labelled_as_sound_or_by_note(tmp_path):
    made = make_library(SMALL, tmp_path / "tones")
    labels = parse_labels(made.labels)
    files = sorted((tmp_path / "tones" / "seconds").iterdir())
    notes = random_notes(SMALL)

    assert made.written == 2 + 8 + 2  # recordings, seconds, tables
    assert [label_of(labels, str(path)) for path in files] == ["sound", "silence"] * 4
    info = soundfile.info(files[0])
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (RATE_HZ, 1, "PCM_16", RATE_HZ)
    assert not soundfile.read(files[1])[0].any()
    for path, note in zip(files[::2], notes, strict=True):
        assert abs(loudest_hz(soundfile.read(path)[0], RATE_HZ) - NOTE_FREQUENCIES_HZ[note]) <= 1
    assert label_of(labels, str(tmp_path / "tones" / "recordings" / "notes.wav")) is None

    by_note = make_library(SMALL.replace(labels="notes"), tmp_path / "tones")
    assert by_note.written == 0
    found = [label_of(parse_labels(by_note.labels), str(path)) for path in files]
    assert found == [note for pair in zip(notes, [None] * 4, strict=True) for note in pair]


def test_a_library_that_was_cut_short_is_completed_and_what_is_there_left_alone(tmp_path):
    folder = tmp_path / "tones"
    make_library(SMALL, folder)
    gone = sorted((folder / "seconds").iterdir())[2]
    before = stamps(folder)
    held = gone.read_bytes()
    gone.unlink()

    assert make_library(SMALL, folder).written == 1
    assert gone.read_bytes() == held
    assert {path: when for path, when in stamps(folder).items() if path != gone} == {
        path: when for path, when in before.items() if path != gone
    }


def test_another_plan_replaces_the_librarys_files_and_nobody_elses(tmp_path):
    folder = tmp_path / "tones"
    make_library(SMALL, folder)
    (folder / "mine.txt").write_text("kept")

    make_library(SMALL.replace(notes=2), folder)

    assert len(list((folder / "seconds").iterdir())) == 4
    assert (folder / "mine.txt").exists()
    with (folder / "sound.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4


def test_a_folder_of_other_files_is_not_touched(tmp_path):
    (tmp_path / "music.wav").write_bytes(b"precious")

    with pytest.raises(UsageError, match="holds other files"):
        make_library(SMALL, tmp_path)
    assert (tmp_path / "music.wav").read_bytes() == b"precious"


@pytest.mark.parametrize("random_state", [7, 21, 24, 25, 29, 33, 38])
def test_the_points_are_those_of_make_classification_as_the_tutorial_calls_it(random_state):
    plan = PointsPlan(samples=500, random_state=random_state)
    x, y = make_classification(
        n_samples=500,
        n_features=2,
        n_informative=2,
        n_redundant=0,
        n_classes=2,
        n_clusters_per_class=2,
        class_sep=1.5,
        flip_y=0.01,
        random_state=random_state,
    )

    found = points(plan)

    np.testing.assert_array_equal(found[0], x)
    np.testing.assert_array_equal(found[1], y)


def test_the_points_are_one_file_to_be_imported(tmp_path):
    made = make_library(PointsPlan(samples=40), tmp_path / "points")

    assert (made.family, made.labels, made.written) == ("points", "", 1)
    with np.load(made.path) as arrays:
        assert arrays["Xdata"].shape == (40, 2)
        assert arrays["Ydata"].shape == (40, 1)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (TonesPlan(notes=0), "notes"),
        (TonesPlan(tone_s=0.5), "at least a second"),
        (TonesPlan(sample_rate_hz=8_000), "sample rate above twice"),
        (TonesPlan(amplitude=1.5), "amplitude is 1.5"),
        (PointsPlan(samples=3), "at least 8"),
        (PointsPlan(clusters_per_class=3), "clusters_per_class"),
    ],
)
def test_a_plan_that_makes_no_library_is_refused_before_anything_is_written(plan, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        make_library(plan, tmp_path / "library")
    assert list(tmp_path.iterdir()) == []
