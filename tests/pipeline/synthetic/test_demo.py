"""The demo library on disk."""

import warnings
from collections import Counter

import numpy as np
import pytest
import soundfile

from pipeline.errors import UsageError
from pipeline.synthetic.demo import BROKEN, CLASSES, ENCODINGS, write_demo_library

CODECS = {
    ".wav": {"PCM_16", "PCM_24"},
    ".flac": {"PCM_16", "PCM_24"},
    ".ogg": {"VORBIS"},
    ".mp3": {"MPEG_LAYER_III"},
}


def stamps(folder):
    """Return what a scan sees of every file: its size and its time."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The library as `make demo` writes it; not to be changed."""
    return write_demo_library(tmp_path_factory.mktemp("demo") / "library")


@pytest.fixture
def small(tmp_path):
    """A folder with one file per class."""
    write_demo_library(tmp_path / "small", per_class=1)
    return tmp_path / "small"


def test_every_class_has_a_folder_of_twelve_files_in_every_format(library):
    assert len(CLASSES) == 4
    for label in CLASSES:
        files = [path for path in library.files if path.parent == library.folder / label]
        assert Counter(path.suffix for path in files) == {".wav": 3, ".flac": 3, ".ogg": 3, ".mp3": 3}
    assert library.written == 4 * 12 + 1


def test_every_file_is_what_its_name_says_and_lasts_four_to_eight_seconds(library):
    for path in library.files:
        info = soundfile.info(path)
        assert info.subtype in CODECS[path.suffix]
        assert info.format == path.suffix.removeprefix(".").upper()
        assert 3.99 <= info.duration <= 8.01


def test_each_class_has_all_rates_and_both_channel_layouts(library):
    for label in CLASSES:
        infos = [soundfile.info(path) for path in library.files if path.parent.name == label]
        assert {info.samplerate for info in infos} == {16_000, 22_050, 32_000, 44_100, 48_000}
        assert Counter(info.channels for info in infos) == Counter(e.channels for e in ENCODINGS)


def test_every_file_has_sound_at_a_level_that_differs_from_file_to_file(library):
    peaks = []
    for path in library.files:
        samples, _ = soundfile.read(path, always_2d=True)
        assert np.isfinite(samples).all()
        peaks.append(np.abs(samples).max())
    assert min(peaks) > 0.02
    assert max(peaks) <= 1.1  # lossy codecs overshoot a little
    assert np.ptp(20 * np.log10(peaks)) > 12


def test_stereo_files_are_not_mono_twice(library):
    path = next(path for path in library.files if soundfile.info(path).channels == 2)
    samples, _ = soundfile.read(path)

    assert not np.allclose(samples[:, 0], samples[:, 1], atol=1e-3)


def test_one_file_is_broken_on_purpose_and_only_that(library):
    assert library.broken == library.folder / BROKEN
    assert library.broken not in library.files
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(library.broken)
    others = {path for path in library.folder.rglob("*") if path.is_file()} - {library.broken, *library.files}
    assert {path.name for path in others} == {"demo.json"}


def test_the_same_seed_gives_the_same_samples(library, tmp_path):
    again = write_demo_library(tmp_path, per_class=2)

    for path in again.files:
        first, _ = soundfile.read(library.folder / path.relative_to(tmp_path))
        second, _ = soundfile.read(path)
        np.testing.assert_array_equal(first, second)


def test_another_seed_gives_other_sounds(small, tmp_path):
    write_demo_library(tmp_path / "other", per_class=1, seed=2)

    for path in small.rglob("*.flac"):
        first, _ = soundfile.read(path)
        second, _ = soundfile.read(tmp_path / "other" / path.relative_to(small))
        assert first.shape != second.shape or not np.allclose(first, second)


def test_writing_it_again_touches_nothing(small):
    before = stamps(small)

    again = write_demo_library(small, per_class=1)

    assert again.written == 0
    assert stamps(small) == before


def test_a_missing_file_comes_back_and_the_others_stay(small):
    before = stamps(small)
    lost = small / "noise" / "noise-01.ogg"
    first, _ = soundfile.read(lost)
    lost.unlink()

    again = write_demo_library(small, per_class=1)

    assert again.written == 1
    second, _ = soundfile.read(lost)
    np.testing.assert_array_equal(first, second)
    assert {path: stamp for path, stamp in stamps(small).items() if path != lost} == {
        path: stamp for path, stamp in before.items() if path != lost
    }


def test_other_parameters_replace_the_library_that_was_there(small):
    write_demo_library(small, per_class=2, seed=5)
    library = write_demo_library(small, per_class=1, seed=6)

    assert sorted(small.rglob("*.*")) == sorted([*library.files, library.broken, small / "demo.json"])


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    mine = tmp_path / "my song.wav"
    mine.write_bytes(b"precious")

    with pytest.raises(UsageError, match="holds other files; give a new or empty folder"):
        write_demo_library(tmp_path)

    assert [path.name for path in tmp_path.rglob("*")] == ["my song.wav"]


def test_a_damaged_record_is_named(small):
    (small / "demo.json").write_text("{")

    with pytest.raises(UsageError, match=r"demo\.json is not what chordal wrote"):
        write_demo_library(small)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "demo").write_text("")

    with pytest.raises(UsageError, match="is a file; give a folder"):
        write_demo_library(tmp_path / "demo")


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="cannot write to"):
        write_demo_library(tmp_path / "file" / "demo")


def test_a_library_of_no_files_is_refused(tmp_path):
    with pytest.raises(UsageError, match="per_class is 0"):
        write_demo_library(tmp_path, per_class=0)


def test_no_warning_reaches_the_user(tmp_path):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        write_demo_library(tmp_path, per_class=1)

    assert warned == []
