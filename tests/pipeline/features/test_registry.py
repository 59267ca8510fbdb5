import numpy as np
import pytest
from programs import loaded_modules

from pipeline.errors import TooShortError, UsageError
from pipeline.features.registry import families, family
from pipeline.features.spec import compute

ALL = pytest.mark.parametrize("name", sorted(families()))


def test_the_families_of_the_tutorials_are_there():
    assert {"loudness", "mfcc_segments", "mfcc_mean", "frame_stats", "logmel"} <= set(families())


def test_an_unknown_family_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match=r"'mfc'.*one of: loudness, mfcc_segments"):
        family("mfc")


def test_the_dictionary_handed_out_is_the_callers_own():
    families().clear()
    assert families()


def test_importing_the_registry_loads_no_heavy_library():
    heavy = ["librosa", "matplotlib", "scipy.signal", "numba", "pyloudnorm", "sklearn", "keras", "tensorflow"]
    assert loaded_modules("import pipeline.extraction.extract", heavy) == ""


def test_computing_every_family_loads_no_heavy_library():
    heavy = ["librosa", "matplotlib", "scipy.signal", "pyloudnorm", "sklearn", "keras", "tensorflow"]
    assert loaded_modules("from pipeline.features.warm import warm; warm()", heavy) == ""


@ALL
def test_rows_have_the_shape_that_the_spec_tells(audio, noise, name):
    found = family(name)
    rows = compute(found, audio(noise((4 * 22_050, 2)), 22_050))
    assert rows.values.shape == (len(rows), *found.spec.row_shape)
    assert rows.values.dtype == rows.start_s.dtype == np.float32
    assert rows.channel.dtype == np.int8
    assert rows.start_s.shape == rows.channel.shape == (len(rows),)
    assert rows.values.flags.c_contiguous
    assert len(found.spec.columns) == len(found.spec.units) == found.spec.row_shape[-1]


SOUNDS = {
    "silence": np.zeros,
    "one click": lambda n: np.eye(1, n, n // 2)[0],
    "a constant": lambda n: np.full(n, 0.5),
    "full scale noise": lambda n: np.random.default_rng(0).choice([-1.0, 1.0], n),
    "the least bit": lambda n: np.full(n, 2.0**-23),
    "wild floats": lambda n: 1e9 * np.sin(np.arange(n)),
    "half silent": lambda n: np.where(np.arange(n) < n // 2, 0, np.sin(np.arange(n))),
}


@ALL
@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("rate_hz", [8_000, 44_100])
def test_every_number_is_finite_whatever_the_sound(audio, name, sound, rate_hz):
    rows = compute(family(name), audio(SOUNDS[sound](4 * rate_hz), rate_hz))
    assert np.isfinite(rows.values).all()


@ALL
def test_three_samples_are_too_short(audio, name):
    with pytest.raises(TooShortError):
        compute(family(name), audio([0.1, -0.1, 0.1], 44_100))


@ALL
def test_the_same_sound_gives_the_same_numbers(audio, noise, name):
    sound = noise((4 * 22_050, 2))
    first, second = (compute(family(name), audio(sound, 22_050)) for _ in range(2))
    np.testing.assert_array_equal(first.values, second.values)


@ALL
def test_a_key_is_the_name_and_a_fingerprint_that_follows_version_and_parameters(name):
    spec = family(name).spec
    assert spec.key == f"{name}-{spec.fingerprint}"
    assert len(spec.fingerprint) == 12
    assert spec.replace(version=spec.version + 1).key != spec.key
    assert spec.replace(parameters={**spec.parameters, "n_fft": 1}).key != spec.key
    assert spec.replace(title="another title").key == spec.key
